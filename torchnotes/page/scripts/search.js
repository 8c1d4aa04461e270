// Search: ranked, with whole words before parts and typos, other words for one thing, and texts of errors.

const AT_LEAST = 3;
const FIELDS = { claim: 6, name: 4, people: 3, about: 2, why: 1.5, code: 1 };
const COMMON = new Set("a an and are as at be but by can do does for from how i if in is it its my not of on or so that the this to what when why with".split(" "));

// `nn.CrossEntropyLoss` is found by itself, by its parts and by the words in them; what is typed is taken whole.
const wholes = (text) => text.match(/[\p{L}\p{N}_]+(?:\.[\p{N}]+)*/gu) ?? [];
const parts = (text) =>
  wholes(text).flatMap((whole) => {
    const some = whole.split("_").flatMap((part) => part.match(/\p{Lu}+(?!\p{Ll})|\p{Lu}?[\p{Ll}\p{N}]+|[\p{L}\p{N}]+/gu) ?? []);
    return some.length > 1 ? [whole, ...some] : [whole];
  });

const documentOf = (card, id) => {
  const text = (selector) => all(selector, card).map((part) => part.textContent).join(" ");
  const group = home.get(card);
  const about = [sectionOf(card).querySelector("h2"), group.querySelector(".topic"), group.querySelector(".topic-more")];
  return {
    id,
    name: nameOf(card),
    claim: claimOf(card).textContent,
    people: text(".myth, .advice, .changed"),
    about: about.map((part) => part?.textContent ?? "").join(" "),
    why: text(".why, .table, .explained figcaption, .results, .announced, .needs, .links, .teaching, .tags .tag, .warning"),
    code: text("pre.code, .uses pre"),
  };
};

// Forms of an English word are one word: gradient and gradients, broadcast and broadcasting.
const stem = (term) => {
  const word = term.toLowerCase();
  return /^[a-z]{6,}$/.test(word) ? word.replace(/(?:ing|ed|es|s)$/, "") : word;
};

const asWritten = new Set();
const engine = new MiniSearch({
  fields: Object.keys(FIELDS),
  tokenize: parts,
  processTerm: (term) => {
    asWritten.add(term.toLowerCase());
    return [...new Set([term.toLowerCase(), stem(term)])];
  },
  searchOptions: {
    tokenize: wholes,
    processTerm: stem,
    boost: FIELDS,
    prefix: (term) => term.length > 2 || /\p{L}{2}/u.test(term),
    fuzzy: (term) => (term.length > 4 && !/[\d_]/.test(term) ? 0.2 : false),
    weights: { prefix: 0.25, fuzzy: 0.08 },
  },
});
let indexed = 0;
const indexSome = (milliseconds) => {
  const end = performance.now() + milliseconds;
  while (indexed < cards.length && performance.now() < end) engine.add(documentOf(cards[indexed], indexed++));
  return indexed === cards.length;
};
// In small pieces while nothing else is to be done; a search that comes before that waits for the rest.
const later = window.requestIdleCallback ?? ((work) => setTimeout(work, 30));
const indexLater = () => {
  if (!indexSome(8)) later(indexLater);
};
later(indexLater);

const wordsOf = (text) => {
  const found = wholes(text).map((word) => word.toLowerCase());
  const rare = found.filter((word) => !COMMON.has(word));
  return rare.length ? rare : found;
};

// A query in which each known phrase stands for what the notes call it.
const queries = (text) => {
  let rest = ` ${wholes(text).join(" ").toLowerCase()} `;
  const groups = [];
  for (const [phrase, others] of Object.entries(data.synonyms)) {
    if (!rest.includes(` ${phrase} `)) continue;
    rest = rest.replace(` ${phrase} `, " ");
    const same = others.map((other) => ({ queries: wordsOf(other), combineWith: "AND", fuzzy: false }));
    groups.push({ queries: same, combineWith: "OR" });
  }
  return [...groups, ...(rest.trim() ? wordsOf(rest) : [])];
};

// The cards, the best first; where none has all the words, those that have many of them.
const find = (text) => {
  indexSome(Infinity);
  const asked = queries(text);
  if (!asked.length) return { found: [], terms: [], partly: false };
  let results = engine.search({ queries: asked, combineWith: "AND" });
  const partly = !results.length;
  const isError = asked.length > 4; // or some other long text, of which a few words will not be in any note
  if (asked.length > 1 && (partly || (isError && results.length < AT_LEAST))) {
    const some = engine.search({ queries: asked, combineWith: "OR" }, isError ? { fuzzy: false, prefix: false } : {});
    const enough = Math.max(...some.map((result) => result.queryTerms.length)) / 2;
    const known = new Set(results.map((result) => result.id));
    results.push(...some.filter((result) => !known.has(result.id) && result.queryTerms.length >= enough));
  }
  const terms = [...new Set(results.slice(0, 60).flatMap((result) => result.terms))];
  return { found: results.map((result) => cards[result.id]), terms, partly: partly && results.length > 0 };
};

const suggested = (text) => {
  const last = wholes(text).at(-1);
  if (!last || last.length < 2) return [];
  const options = { fields: ["claim", "name"], fuzzy: 0.3, processTerm: (term) => term.toLowerCase() };
  return engine
    .autoSuggest(last, options)
    .map(({ suggestion }) => suggestion)
    .filter((word) => asWritten.has(word));
};

// What was found is marked without a change to the page.
const unmark = () => window.Highlight && CSS.highlights.set("found", new Highlight());
const mark = (card, terms) => {
  if (!window.Highlight || !terms.length) return;
  const wanted = terms.map((term) => term.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).sort((one, other) => other.length - one.length);
  const pattern = new RegExp(wanted.join("|"), "giu");
  const walker = document.createTreeWalker(card, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    for (const { index, 0: word } of node.data.matchAll(pattern)) {
      if (word.length < 3 && /\w/.test(node.data[index - 1] ?? "")) continue;
      const range = new Range();
      range.setStart(node, index);
      range.setEnd(node, index + word.length);
      CSS.highlights.get("found").add(range);
    }
  }
};
