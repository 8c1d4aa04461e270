// An upgrade: what every pair of runs came to was compared when the page was made.

const before = $("before");
const after = $("after");
const names = data.columns.map((column) => column.name);

const differences = () => {
  const [left, right] = [before, after].map((select) => data.columns[select.value].about);
  const others = [...new Set([...Object.keys(left), ...Object.keys(right)])].filter((name) => name !== "torch").sort();
  return ["torch", ...others]
    .map((name) => [name, left[name] ?? "none", right[name] ?? "none"])
    .filter(([, one, other]) => one !== other);
};

const shownChange = ([, card, device, when]) => {
  const tags = [data.texts[when], data.devices[device] && `on ${data.devices[device]}`].filter(Boolean);
  return made("li", {}, linkTo(cards[card]), ...tags.flatMap((textContent) => [" ", made("small", { className: "tag", textContent })]));
};

const shownGroup = ([title, explained], some) => {
  // Where many have one reason it is said once, before them.
  const reasons = [...new Set(some.map((change) => change[4]))];
  const lists = reasons.flatMap((reason) => [
    ...(data.texts[reason] ? [made("p", { className: "reason", textContent: data.texts[reason] })] : []),
    made("ul", {}, ...some.filter((change) => change[4] === reason).map(shownChange)),
  ]);
  const count = new Set(some.map((change) => change[1])).size;
  const head = made("h3", { textContent: `${title} ` }, made("small", { textContent: count }));
  const group = made("details", { className: "kind", open: title !== "checked in one run only" }, made("summary", {}, head));
  group.dataset.kind = title;
  group.append(made("p", { textContent: `${explained[0].toUpperCase()}${explained.slice(1)}.` }), ...lists);
  return group;
};

const showChanges = () => {
  const found = data.pairs[before.value][after.value].map((change) => data.changes[change]);
  const [one, other] = [before, after].map((select) => data.columns[select.value]);
  const parts = [];
  const rows = differences().map(([name, left, right]) =>
    made("div", {}, made("dt", { textContent: name }), made("dd", { textContent: `${left} → ${right}` })),
  );
  if (rows.length) parts.push(made("dl", { className: "about" }, ...rows));
  if (+before.value > +after.value && found.length) {
    parts.push(made("p", { textContent: "This is the way back: what an upgrade does to code is undone." }));
  }
  if (!found.length) parts.push(made("p", { className: "none", textContent: "No note came out differently." }));
  const failing = [one, other].map(({ name, failed }) => `${failed || "none"} in torch ${name}`).join(", ");
  parts.push(made("p", { className: "tally", textContent: `Notes that failed: ${failing}.` }));
  data.groups.forEach((group, rank) => {
    const some = found.filter((change) => change[0] === rank);
    if (some.length) parts.push(shownGroup(group, some));
  });
  $("changes").replaceChildren(...parts);
  $("between").textContent = `From torch ${one.name} to torch ${other.name}`;
};

const chooseRuns = (one, other) => {
  const places = [one, other].map((name) => names.indexOf(name));
  const [from, to] = places.includes(-1) ? [Math.max(0, data.of - 1), data.of] : places;
  if (+before.value === from && +after.value === to && $("changes").hasChildNodes()) return;
  [before.value, after.value] = [from, to];
  showChanges();
};

const choseRuns = () => {
  showChanges();
  setAddress("versions", { from: names[before.value], to: names[after.value] });
};
before.addEventListener("change", choseRuns);
after.addEventListener("change", choseRuns);
$("swap").addEventListener("click", () => {
  [before.value, after.value] = [after.value, before.value];
  choseRuns();
});

// On paper there is nothing to open.
let closed = [];
addEventListener("beforeprint", () => {
  closed = all("#changes details:not([open])");
  for (const each of closed) each.open = true;
});
addEventListener("afterprint", () => {
  for (const each of closed) each.open = false;
});

// The table of all runs: the rows that are the same in all of them are added when they are asked for.

const table = $("matrix");
const few = all("tbody", table);
const shownRow = ([place, device, runs]) => {
  const card = cards[place];
  const name = made("th", { scope: "row" }, linkTo(card));
  if (data.devices[device]) name.append(" ", made("small", { className: "tag", textContent: data.devices[device] }));
  const needed = all(".requirement", card).map((tag) => tag.textContent);
  if (needed.length) name.append(" ", made("small", { className: "needed", textContent: needed.join(" · ") }));
  const cells = [...runs.matchAll(/(\D)(\d+)/g)].map(([, code, count]) =>
    made("td", { className: code === "-" ? "n" : code, colSpan: count, textContent: data.short[code] }),
  );
  return made("tr", {}, name, ...cells);
};
let same;
const rowsThatAreTheSame = () => {
  const bodies = new Map();
  for (const row of data.rows) {
    const section = sectionOf(cards[row[0]]);
    if (!bodies.has(section)) {
      const title = made("span", {}, ...section.querySelector("h2").cloneNode(true).childNodes, ": the same in all runs");
      const head = made("th", { scope: "rowgroup", colSpan: names.length + 1 }, title);
      bodies.set(section, made("tbody", {}, made("tr", { className: "head" }, head)));
    }
    bodies.get(section).append(shownRow(row));
  }
  return [...bodies.values()];
};
$("matrix-all").addEventListener("change", ({ target }) => {
  same ??= rowsThatAreTheSame();
  if (target.checked) table.append(...same);
  else for (const body of same) body.remove();
});
