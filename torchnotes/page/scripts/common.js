"use strict";

// What the other scripts share: the page's parts, and the address.

const data = JSON.parse(document.getElementById("data").textContent);
const $ = (id) => document.getElementById(id);
const all = (selector, within = document) => [...within.querySelectorAll(selector)];
const made = (name, properties = {}, ...children) => {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...children);
  return element;
};
document.documentElement.classList.add("js");

const cards = all("article.note");
const sections = all("section.section");
const views = all("section.view");
const home = new Map(cards.map((card) => [card, card.parentElement])); // a search takes cards out of their groups
const within = new Map(cards.map((card) => [card, card.closest("section.section")]));
const sectionOf = (card) => within.get(card);
const claimOf = (card) => card.querySelector("h3, h4");
const linkTo = (card) => made("a", { href: `#${card.id}` }, ...claimOf(card).cloneNode(true).childNodes);
const nameOf = (card) => card.id.replace(/^s[^-]*-/, "").replaceAll("_", " ");
const linkOf = (section) => document.querySelector(`nav[aria-label="Sections"] a[href="#${CSS.escape(section.id)}"]`);

// The address names a view or something in it, and behind a `?` what was chosen there.

const address = () => {
  const [name, chosen] = location.hash.slice(1).split("?");
  try {
    return { name: decodeURIComponent(name), chosen: new URLSearchParams(chosen) };
  } catch {
    return { name: "", chosen: new URLSearchParams() };
  }
};
const setAddress = (name, chosen, { replace = false } = {}) => {
  const some = new URLSearchParams(Object.entries(chosen).filter(([, value]) => value)).toString().replaceAll("%2C", ",");
  const hash = `#${name}${some && "?"}${some}`;
  document.querySelector(`nav.views a[data-view="${name}"]`).setAttribute("href", hash);
  if (hash !== location.hash) history[replace ? "replaceState" : "pushState"](null, "", hash);
};

// What scrolls can be reached with the keyboard, and what does not scroll is not stopped at.

const sizes = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    const scrolls = target.scrollWidth > target.clientWidth + 1 || target.scrollHeight > target.clientHeight + 1;
    if (scrolls) target.tabIndex = 0;
    else target.removeAttribute("tabindex");
  }
});
for (const each of all(".scrolls")) sizes.observe(each);
