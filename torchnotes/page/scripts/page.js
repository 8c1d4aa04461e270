// What is shown: a search, filters, one view at a time, and what the address names.

const search = $("search");
const inSection = $("filter-section");
const filters = all("input.filter");
const groups = all(".group");
const members = new Map(groups.map((group) => [group, all("article.note", group)]));
const VERDICTS = ["failed", "elsewhere", "unchecked"];
const counts = new Map(sections.map((section) => [section, linkOf(section).querySelector(".count")]));
const ofSearch = document.querySelector("#found div");
const AT_ONCE = 20;
let ranked = []; // the cards of a search, the best first
let away = new Set(); // those that are out of their groups
let terms = [];

const fitsFilters = () => {
  const chosen = filters.filter((box) => box.checked).map((box) => box.value);
  const verdicts = chosen.filter((value) => VERDICTS.includes(value));
  const marks = chosen.filter((value) => !VERDICTS.includes(value));
  const section = inSection.value;
  if (!chosen.length && !section) return () => true;
  return (card) => {
    const is = card.dataset.is.split(" ");
    return (
      (!section || sectionOf(card).id === `s${section}`) &&
      (!verdicts.length || verdicts.includes(is[0])) &&
      (!marks.length || marks.some((mark) => is.includes(mark)))
    );
  };
};

const bringHome = () => {
  for (const card of away) claimOf(card).removeAttribute("aria-level");
  for (const group of new Set([...away].map((card) => home.get(card)))) {
    let next = null;
    for (const card of members.get(group).toReversed()) {
      if (away.has(card)) group.insertBefore(card, next);
      next = card;
    }
  }
  away = new Set();
};

// What can wait until the answer is drawn and the next key has not come.
let answer = 0;
const afterwards = (work, milliseconds = 60) => {
  const mine = answer;
  setTimeout(() => mine === answer && work(), milliseconds);
};

const showRanked = (count) => {
  const some = ranked.slice(0, count);
  for (const card of some) {
    card.hidden = false;
    claimOf(card).setAttribute("aria-level", 3); // no topic stands above it here
    away.add(card);
  }
  ofSearch.replaceChildren(...some);
  $("more").hidden = some.length === ranked.length;
  $("more").textContent = `Show ${Math.min(AT_ONCE, ranked.length - some.length)} more of ${ranked.length}`;
  unmark();
  const markSome = (from) => {
    for (const card of some.slice(from, from + 3)) {
      colour(card);
      mark(card, terms);
    }
    if (from + 3 < some.length) afterwards(() => markSome(from + 3), 0);
  };
  afterwards(() => markSome(0));
};
$("more").addEventListener("click", () => {
  const shown = ofSearch.childElementCount;
  showRanked(shown + AT_ONCE);
  ranked[shown].querySelector("a").focus();
});

const suggest = (text, { found, partly }) => {
  const tried = found.length && !partly ? [] : suggested(text).filter((word) => word !== text.toLowerCase());
  const buttons = tried.slice(0, 4).map((word) => {
    const button = made("button", { type: "button", textContent: word });
    button.addEventListener("click", () => {
      search.value = word;
      searched();
      search.focus();
    });
    return button;
  });
  const words = partly ? ["No note has all of these words; these have some of them."] : [];
  $("suggestions").replaceChildren(...words, ...(buttons.length ? [" Did you mean ", ...buttons] : []));
  $("suggestions").hidden = !words.length && !buttons.length;
  $("words").replaceChildren(...suggested(text).slice(0, 6).map((value) => made("option", { value })));
};

const filter = () => {
  answer++;
  const text = search.value.trim();
  const fits = fitsFilters();
  const found = text ? find(text) : { found: cards, terms: [], partly: false };
  terms = found.terms;
  const fitting = new Set(found.found.filter(fits));
  const of = new Map(sections.map((section) => [section, 0]));
  for (const card of fitting) of.set(sectionOf(card), of.get(sectionOf(card)) + 1);
  const narrowed = Boolean(text || inSection.value || filters.some((box) => box.checked));
  bringHome();
  $("sections").hidden = Boolean(text);
  $("found").hidden = !text;
  $("notes").classList.toggle("searching", Boolean(text));
  if (text) {
    ranked = [...fitting];
    showRanked(AT_ONCE);
  } else {
    ofSearch.replaceChildren();
    unmark();
    for (const card of cards) card.hidden = !fitting.has(card);
    const fullest = new Set([...fitting].map((card) => home.get(card)));
    for (const group of groups) group.hidden = narrowed && !fullest.has(group);
  }
  for (const [section, count] of of) {
    section.hidden = narrowed && !count;
    counts.get(section).textContent = count;
    linkOf(section).classList.toggle("empty", section.hidden);
  }
  $("shown").textContent = `${fitting.size} of ${cards.length} notes`;
  $("nothing").hidden = fitting.size > 0;
  $("clear").hidden = !narrowed;
  if (text) afterwards(() => suggest(text, found));
  else $("suggestions").hidden = true;
};

const chosen = () => ({
  q: search.value.trim(),
  section: inSection.value,
  only: filters.filter((box) => box.checked).map((box) => box.value).join(","),
});
const choose = ({ q = "", section = "", only = "" }) => {
  const now = chosen();
  if (now.q === q && now.section === section && now.only === only) return;
  search.value = q;
  inSection.value = section;
  if (inSection.selectedIndex < 0) inSection.value = "";
  for (const box of filters) box.checked = only.split(",").includes(box.value);
  filter();
};

// Where one was when a search began: that note, as far from the top as then.
let place = null;
const remember = () => {
  const card = cards.find((each) => each.checkVisibility() && each.getBoundingClientRect().bottom > 0);
  place = { scroll: scrollY, card, top: card?.getBoundingClientRect().top };
};
const emptied = () => {
  const was = place;
  place = null;
  search.value = "";
  filter();
  setAddress("notes", chosen(), { replace: true });
  search.blur();
  if (!was) return;
  if (was.scroll < innerHeight) scrollTo(0, was.scroll);
  else if (was.card) goTo(was.card, was.top);
};
search.addEventListener("focus", () => {
  if (!place) remember();
});
search.addEventListener("blur", () => {
  if (!search.value) place = null;
});
const searched = () => {
  if (search.value && !place) remember();
  filter();
  setAddress("notes", chosen(), { replace: address().chosen.has("q") });
};
search.addEventListener("input", searched);
const filtered = () => {
  filter();
  setAddress("notes", chosen());
};
inSection.addEventListener("change", filtered);
for (const box of filters) box.addEventListener("change", filtered);
const clear = () => choose({});
for (const button of [$("clear"), ...all("button.clear")])
  button.addEventListener("click", () => {
    clear();
    setAddress("notes", {});
    search.focus();
  });
document.querySelector("form.filters").addEventListener("submit", (event) => event.preventDefault());

// Views: one at a time; what the address names is shown, whatever hid it.

const show = (view) => {
  for (const each of views) each.hidden = each !== view;
  for (const link of all("nav.views a")) {
    if (link.dataset.view === view.id) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.body.dataset.view = view.id;
  for (const figure of all("figure.picture")) {
    const name = figure.id.replace("picture-", "");
    const frame = $(`home-${name}`);
    const room = document.querySelector(`[data-picture="${CSS.escape(name)}"]`);
    (view.id === "notes" && room ? room : frame).append(figure);
    if (room) room.firstElementChild.hidden = room.contains(figure);
  }
};

const unknown = (name) => {
  const words = name.replace(/^s\d+-/, "").replaceAll("_", " ");
  const button = made("button", { type: "button", textContent: `Search for ${words}` });
  button.addEventListener("click", () => {
    search.value = words;
    $("unknown").hidden = true;
    searched();
    search.focus();
  });
  $("unknown").replaceChildren(`There is nothing here that is called ${name}; it may have another name by now. `, button);
  $("unknown").hidden = false;
};

// The notes around the one that the address names, and where it stands on the way from easy to hard.
const start = all("#start li a").map((link) => $(link.hash.slice(1)));
const turns = (name, some, card) => {
  const at = some.indexOf(card);
  const link = (to, rel) => (to ? [made("a", { href: `#${to.id}`, rel, textContent: nameOf(to) })] : []);
  return made("p", { className: "turn" }, made("span", { textContent: name }), ...link(some[at - 1], "prev"), ...link(some[at + 1], "next"));
};
const markCard = (card) => {
  for (const other of all(".marked")) other.classList.remove("marked");
  for (const old of all(".note .turn")) old.remove();
  if (!card) return;
  card.classList.add("marked");
  card.append(turns("", cards, card));
  if (start.includes(card)) card.append(turns(`Start here, ${start.indexOf(card) + 1} of ${start.length}`, start, card));
};

const follow = () => {
  const { name, chosen: asked } = address();
  const named = $(name);
  const target = named ?? $("notes");
  const view = target.closest("section.view") ?? $("notes");
  const card = target.closest("article.note");
  $("unknown").hidden = true;
  show(view);
  if (view.id === "versions") chooseRuns(asked.get("from"), asked.get("to"));
  if (target === $("notes")) choose(Object.fromEntries(asked));
  else if (view.id === "notes" && !target.checkVisibility()) clear();
  if (name && !named) unknown(name);
  markCard(card);
  const folded = target.closest("details");
  if (folded) folded.open = true;
  if (target === view) scrollTo(0, 0);
  else goTo(target);
};

// What is off the screen has its size guessed until it is drawn, so one jump may miss: again, until it stays.
let goal;
const goTo = (target, top = null) => {
  goal = target;
  let calm = 0;
  let left = 60;
  const again = () => {
    if (goal !== target) return;
    const was = scrollY;
    if (top === null) target.scrollIntoView();
    else scrollBy(0, target.getBoundingClientRect().top - top);
    calm = Math.abs(scrollY - was) < 1 ? calm + 1 : 0;
    if (calm < 5 && left--) requestAnimationFrame(again);
  };
  again();
};
for (const own of ["wheel", "touchmove", "keydown", "pointerdown"])
  addEventListener(own, () => (goal = undefined), { passive: true });
addEventListener("hashchange", follow);
document.addEventListener("click", (event) => {
  const link = event.target.closest?.('a[href^="#"]');
  if (link && link.hash === location.hash) follow(); // the address does not change, what is seen may
});

// Keys.

let current;
const step = (by) => {
  const some = $("found").hidden ? cards.filter((card) => !card.hidden) : [...ofSearch.children];
  if (!some.length || $("notes").hidden) return;
  const top = (card) => card.getBoundingClientRect().top;
  const from = some.includes(current) ? some.indexOf(current) : some.findIndex((card) => top(card) >= 0) - (by > 0 ? 1 : 0);
  current = some[Math.min(Math.max(from + by, 0), some.length - 1)];
  current.tabIndex = -1;
  current.focus({ preventScroll: true });
  current.scrollIntoView();
};
const help = $("help");
$("keys").addEventListener("click", () => help.showModal());
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || help.open) return;
  if (event.key === "Escape" && (event.target === search || search.value)) {
    event.preventDefault();
    emptied();
    return;
  }
  if (event.target.closest?.("input:not([type=checkbox]), select, textarea")) return;
  if (event.key === "/") {
    event.preventDefault();
    if ($("notes").hidden) show($("notes"));
    if (!search.value) remember(); // before the focus scrolls
    search.focus();
    search.select();
  } else if (event.key === "j" || event.key === "k") {
    step(event.key === "j" ? 1 : -1);
  } else if (event.key === "?") {
    help.showModal();
  }
});

// Colours.

const THEMES = ["auto", "light", "dark"];
const setTheme = (theme) => {
  if (theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  $("theme").textContent = theme[0].toUpperCase() + theme.slice(1);
  $("theme").setAttribute("aria-label", `Colours: ${theme}`);
};
let theme = "auto";
try {
  theme = localStorage.getItem("theme") ?? "auto";
} catch {
  // a page from a disk may have no storage
}
if (!THEMES.includes(theme)) theme = "auto";
setTheme(theme);
$("theme").addEventListener("click", () => {
  theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
  setTheme(theme);
  try {
    localStorage.setItem("theme", theme);
  } catch {
    // likewise
  }
});

// The section that is read, and its topics.

const topics = new Map();
const showTopics = (section) => {
  for (const [other, list] of topics) list.hidden = other !== section;
  if (topics.has(section)) return;
  const items = all(".topic", section).map((topic) => made("li", {}, made("a", { href: `#${topic.id}`, textContent: topic.textContent })));
  const list = made("ul", { className: "topics" }, ...items);
  topics.set(section, list);
  if (items.length) linkOf(section).after(list);
};
const seen = new IntersectionObserver(
  (entries) => {
    for (const { target, isIntersecting } of entries) {
      const link = linkOf(target);
      if (!isIntersecting) link.removeAttribute("aria-current");
      else {
        link.setAttribute("aria-current", "true");
        showTopics(target);
        const row = link.closest("ol"); // on a narrow screen the sections are one row that scrolls
        row.scrollLeft += link.getBoundingClientRect().left - row.getBoundingClientRect().left;
      }
    }
  },
  { rootMargin: "-30% 0px -69% 0px" },
);
for (const section of sections) seen.observe(section);

window.notes = { runnable: (id) => runnable($(id)), find: (text) => find(text).found.map((card) => card.id) };

follow();
