"use strict";
{
  const data = JSON.parse(document.getElementById("data").textContent);
  const $ = (id) => document.getElementById(id);
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const made = (name, properties = {}, ...children) => {
    const element = Object.assign(document.createElement(name), properties);
    element.append(...children);
    return element;
  };
  document.documentElement.classList.add("js");

  // Comparing two runs, as page/compare.py does: its words and its order come with the data.

  const present = data.columns.map((_, run) => {
    const notes = new Set();
    for (const [note, , codes] of data.keys) if (codes[run] !== "-") notes.add(note);
    return notes;
  });

  const outcome = ([note, device, codes, reasons = [], announced = {}], run) => {
    const code = codes[run];
    if (code === "-") {
      const [noNote, noResult, notOn] = data.absent;
      const name = data.devices[device][0];
      const reason = !present[run].has(note) ? noNote : name ? notOn.replace("{device}", () => name) : noResult;
      return { code: "u", reason, announced: [] };
    }
    let place = 0;
    for (let other = 0; other < run; other++) if (!"h-".includes(codes[other])) place++;
    const reason = code === "h" ? "" : (data.reasons[reasons[place]] ?? "");
    return { code, reason, announced: announced[run] ?? [] };
  };

  const readingOrder = (before, after) => {
    const order = (run) =>
      data.columns[run].order.length ? data.columns[run].order : [...present[run]].sort((one, other) => one - other);
    return new Map([...new Set([...order(before), ...order(after)])].map((note, place) => [note, place]));
  };

  const changes = (before, after) => {
    const order = readingOrder(before, after);
    const found = [];
    const crossing = (kind, note, reason) => {
      const crossed = data.crossedKinds.includes(kind) ? (data.notes[note][3] ?? []) : [];
      return Math.min(data.crossings.length - 1, ...crossed.filter(([text]) => reason.includes(text)).map(([, rank]) => rank));
    };
    const add = (kind, [note, device], left, right, reason) => {
      const gravity = crossing(kind, note, reason);
      found.push({
        kind: data.kinds[kind][0],
        note: data.notes[note][0],
        device: data.devices[device][0],
        before: data.verdicts[left.code],
        after: data.verdicts[right.code],
        reason,
        crossing: data.crossings[gravity][0],
        rank: kind,
        gravity,
        number: note,
      });
    };
    const rank = ([note, device]) => [data.notes[note][2], order.get(note), device];
    const keys = data.keys
      .filter(([, , codes]) => codes[before] !== "-" || codes[after] !== "-")
      .map((key) => [rank(key), key])
      .sort(([one], [other]) => one[0] - other[0] || one[1] - other[1] || one[2] - other[2]);
    for (const [, key] of keys) {
      const [note, device] = key;
      if (data.devices[device][0] === "accelerator" && present[before].has(note) && present[after].has(note)) continue;
      const left = outcome(key, before);
      const right = outcome(key, after);
      const kind = data.kindOf[left.code + right.code];
      if (kind !== undefined) {
        add(kind, key, left, right, right.code !== "h" ? right.reason : left.reason);
      } else if (right.code === "h") {
        const [soon, withdrawn] = data.announcedKinds;
        for (const text of right.announced)
          if (!left.announced.includes(text)) add(soon, key, left, right, data.announced[text]);
        for (const text of left.announced)
          if (!right.announced.includes(text)) add(withdrawn, key, left, right, data.announced[text]);
      }
    }
    return found.sort((one, other) => one.rank - other.rank || one.gravity - other.gravity);
  };

  const differences = (before, after) => {
    const [left, right] = [before, after].map((run) => data.columns[run].about);
    const names = [...new Set([...Object.keys(left), ...Object.keys(right)])].filter((name) => name !== "torch").sort();
    return ["torch", ...names]
      .map((name) => [name, left[name] ?? null, right[name] ?? null])
      .filter(([, one, other]) => one !== other);
  };

  window.notes = {
    changes: (before, after) => changes(+before, +after).map(({ rank, gravity, number, ...change }) => change),
    differences: (before, after) => differences(+before, +after),
  };

  const claimOf = (number) => {
    const id = data.notes[number][1];
    const claim = $(id).querySelector(".claim").cloneNode(true);
    return made("a", { href: `#${id}` }, ...claim.childNodes);
  };

  const showChanges = () => {
    const [before, after] = [$("before"), $("after")].map((select) => +select.value);
    const found = changes(before, after);
    const parts = [];
    const differ = differences(before, after);
    if (differ.length) {
      const rows = differ.map(([name, one, other]) =>
        made("div", {}, made("dt", { textContent: name }), made("dd", { textContent: `${one ?? "none"} → ${other ?? "none"}` })),
      );
      parts.push(made("dl", { className: "about" }, ...rows));
    }
    if (!found.length) parts.push(made("p", { className: "none", textContent: "No note came out differently." }));
    const failedIn = (run) => new Set(data.keys.filter(([, , codes]) => codes[run] === "f").map(([note]) => note)).size;
    const failing = [before, after].map((run) => `${failedIn(run) || "none"} in torch ${data.columns[run].name}`);
    parts.push(made("p", { className: "tally", textContent: `Notes that failed: ${failing.join(", ")}.` }));
    data.kinds.forEach(([kind, explained], rank) => {
      const some = found.filter((change) => change.rank === rank);
      if (!some.length) return;
      const item = (change, ...more) =>
        made(
          "li",
          {},
          claimOf(change.number),
          ...(change.device ? [" ", made("small", { className: "tag", textContent: `on ${change.device}` })] : []),
          ...more,
        );
      const said = (text) => (text ? [made("span", { className: "reason", textContent: text })] : []);
      // Where many have one reason it is said once, before them.
      const reasons = [...new Set(some.map((change) => change.reason))];
      const lists =
        rank > data.kindOf.eh && reasons.length < some.length
          ? reasons.flatMap((reason) => [
              made("p", { className: "reason", textContent: reason }),
              made("ul", {}, ...some.filter((change) => change.reason === reason).map((change) => item(change))),
            ])
          : [made("ul", {}, ...some.map((change) => item(change, ...said(data.crossings[change.gravity][1]), ...said(change.reason))))];
      const claims = new Set(some.map((change) => change.number)).size;
      const head = made("h3", { textContent: `${kind} ` }, made("small", { textContent: claims }));
      const group = made("details", { className: "kind" }, made("summary", {}, head), made("p", { textContent: `${explained[0].toUpperCase()}${explained.slice(1)}.` }), ...lists);
      group.dataset.kind = kind;
      group.open = kind !== "checked in one run only";
      parts.push(group);
    });
    $("changes").replaceChildren(...parts);
  };

  $("after").value = data.of;
  $("before").value = Math.max(0, data.of - 1);
  $("before").addEventListener("change", showChanges);
  $("after").addEventListener("change", showChanges);
  $("swap").addEventListener("click", () => {
    [$("before").value, $("after").value] = [$("after").value, $("before").value];
    showChanges();
  });

  // The matrix: the rows that are the same in all runs are added when they are asked for.

  const table = $("matrix");
  const few = all("tbody", table);
  let everything;
  const matrixOfAll = () => {
    const bodies = new Map();
    for (const [note, device, codes] of data.keys) {
      const card = $(data.notes[note][1]);
      const section = card.dataset.section;
      if (!bodies.has(section)) {
        const title = document.querySelector(`#s${CSS.escape(section)} h2`).cloneNode(true);
        const head = made("th", { scope: "rowgroup", colSpan: data.columns.length + 1 }, made("span", {}, `${section} `, ...title.childNodes));
        bodies.set(section, made("tbody", {}, made("tr", { className: "head" }, head)));
      }
      const name = made("th", { scope: "row" }, claimOf(note));
      if (data.devices[device][0]) name.append(" ", made("small", { className: "tag", textContent: data.devices[device][1] }));
      const needed = all(".tags .requirement", card).map((tag) => tag.textContent);
      if (needed.length) name.append(" ", made("small", { className: "needed", textContent: needed.join(" · ") }));
      const cells = [...codes].map((code, run) =>
        made("td", { className: `${code === "-" ? "n" : code}${run && codes[run - 1] !== code ? " b" : ""}` }, made("i", { textContent: data.short[code] })),
      );
      bodies.get(section).append(made("tr", {}, name, ...cells));
    }
    return [...bodies.values()];
  };
  $("matrix-all").addEventListener("change", ({ target }) => {
    if (target.checked) everything ??= matrixOfAll();
    for (const body of all("tbody", table)) body.remove();
    table.append(...(target.checked ? everything : few));
  });

  // Search and filters.

  const cards = all("article.note");
  const sections = all("section.section");
  const groups = all(".group");
  const search = $("search");
  const inSection = $("filter-section");
  const filters = all("input.filter");
  const VERDICTS = ["failed", "elsewhere", "unchecked"];
  const texts = new Map();
  const textOf = (card) => {
    if (!texts.has(card)) texts.set(card, `${card.id} ${card.textContent}`.toLowerCase());
    return texts.get(card);
  };
  const counts = new Map(sections.map((section) => [section, document.querySelector(`a[href="#${CSS.escape(section.id)}"] .count`)]));

  const filter = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const chosen = filters.filter((box) => box.checked).map((box) => box.value);
    const verdicts = chosen.filter((value) => VERDICTS.includes(value));
    const marks = chosen.filter((value) => !VERDICTS.includes(value));
    const section = inSection.value;
    const fits = (card) =>
      (!section || card.dataset.section === section) &&
      (!verdicts.length || verdicts.includes(card.dataset.verdict)) &&
      (!marks.length || marks.some((mark) => card.dataset.marks.split(" ").includes(mark))) &&
      words.every((word) => textOf(card).includes(word));
    let shown = 0;
    for (const card of cards) {
      card.hidden = !fits(card);
      if (!card.hidden) shown++;
    }
    const hasShown = (element) => element.querySelector("article.note:not([hidden])") !== null;
    const narrowed = Boolean(section || chosen.length || words.length);
    for (const group of groups) group.hidden = narrowed && !hasShown(group);
    for (const each of sections) {
      each.hidden = narrowed && !hasShown(each);
      const count = counts.get(each);
      count.textContent = all("article.note:not([hidden])", each).length;
      count.closest("a").classList.toggle("empty", each.hidden);
    }
    $("shown").textContent = `${shown} of ${cards.length} notes`;
    $("nothing").hidden = shown > 0;
    $("clear").hidden = !narrowed;
  };

  const clear = () => {
    search.value = "";
    inSection.value = "";
    for (const box of filters) box.checked = false;
    filter();
  };
  search.addEventListener("input", filter);
  inSection.addEventListener("change", filter);
  for (const box of filters) box.addEventListener("change", filter);
  for (const button of [$("clear"), ...all("button.clear")])
    button.addEventListener("click", () => {
      clear();
      search.focus();
    });
  document.querySelector("form.filters").addEventListener("submit", (event) => event.preventDefault());

  // Views: one at a time; what the address names is shown, whatever hid it.

  const views = all("section.view");
  const show = (view) => {
    for (const each of views) each.hidden = each !== view;
    for (const link of all("nav.views a")) {
      if (link.hash === `#${view.id}`) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    document.body.dataset.view = view.id;
    for (const figure of all("figure.picture")) {
      const name = figure.id.replace("picture-", "");
      const home = $(`home-${name}`);
      const place = document.querySelector(`[data-picture="${CSS.escape(name)}"]`);
      (view.id === "notes" && place ? place : home).append(figure);
      if (place) place.firstElementChild.hidden = place.contains(figure);
    }
    if (view.id === "versions" && !$("changes").hasChildNodes()) showChanges();
  };

  const follow = () => {
    let name;
    try {
      name = decodeURIComponent(location.hash.slice(1));
    } catch {
      name = "";
    }
    const target = $(name) ?? $("notes");
    const view = target.closest("section.view") ?? $("notes");
    const card = target.closest("article.note");
    for (const other of all(".marked")) other.classList.remove("marked");
    show(view);
    if ((card ?? target).hidden || target.closest("section.section")?.hidden) clear();
    if (card) card.classList.add("marked");
    if (target === view) scrollTo(0, 0);
    else goTo(target);
  };

  // What is off the screen has its size guessed until it is drawn, so one jump may miss: again, until it stays.
  let goal;
  const goTo = (target) => {
    goal = target;
    let calm = 0;
    let left = 60;
    const again = () => {
      if (goal !== target) return;
      const before = window.scrollY;
      target.scrollIntoView();
      calm = Math.abs(window.scrollY - before) < 1 ? calm + 1 : 0;
      if (calm < 5 && left--) requestAnimationFrame(again);
    };
    again();
  };
  for (const own of ["wheel", "touchmove", "keydown", "pointerdown"])
    window.addEventListener(own, () => (goal = undefined), { passive: true });
  window.addEventListener("hashchange", follow);
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.('a[href^="#"]');
    if (link && link.hash === location.hash) follow(); // the address does not change, what is seen may
  });

  // Copying what runs.

  const say = (text) => ($("said").textContent = text);
  const copied = async (button, text) => {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const area = made("textarea", { value: text, className: "unseen" });
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
      button.focus();
    }
    button.textContent = "Copied";
    say("Copied");
    setTimeout(() => (button.textContent = "Copy"), 1500);
  };
  const runnable = (source) =>
    [...all(".uses pre", source), ...all("pre.code", source)].map((part) => part.textContent.trim()).join("\n\n") + "\n";
  window.notes.runnable = (id) => runnable($(id));
  document.addEventListener("click", ({ target }) => {
    const button = target.closest?.("button.copy");
    if (button) copied(button, runnable(button.closest(".source")));
  });

  // Keys.

  let current;
  const step = (by) => {
    const shown = cards.filter((card) => !card.hidden);
    if (!shown.length || $("notes").hidden) return;
    const top = (card) => card.getBoundingClientRect().top;
    const from = shown.includes(current) ? shown.indexOf(current) : shown.findIndex((card) => top(card) >= 0) - (by > 0 ? 1 : 0);
    current = shown[Math.min(Math.max(from + by, 0), shown.length - 1)];
    current.tabIndex = -1;
    current.focus({ preventScroll: true });
    current.scrollIntoView();
  };
  const help = $("help");
  $("keys").addEventListener("click", () => help.showModal());
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || help.open) return;
    if (event.key === "Escape" && (event.target === search || search.value)) {
      search.value = "";
      filter();
      search.blur();
      return;
    }
    if (event.target.closest?.("input:not([type=checkbox]), select, textarea")) return;
    if (event.key === "/") {
      event.preventDefault();
      if ($("notes").hidden) show($("notes"));
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

  // The section that is read.

  const links = new Map(sections.map((section) => [section, document.querySelector(`nav[aria-label="Sections"] a[href="#${CSS.escape(section.id)}"]`)]));
  const seen = new IntersectionObserver(
    (entries) => {
      for (const { target, isIntersecting } of entries) {
        if (!isIntersecting) links.get(target).removeAttribute("aria-current");
        else {
          const link = links.get(target);
          link.setAttribute("aria-current", "true");
          const row = link.closest("ol"); // on a narrow screen the sections are one row that scrolls
          row.scrollLeft += link.getBoundingClientRect().left - row.getBoundingClientRect().left;
        }
      }
    },
    { rootMargin: "-30% 0px -69% 0px" },
  );
  for (const section of sections) seen.observe(section);

  follow();
}
