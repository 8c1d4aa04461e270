// The code of a note: coloured when it comes near the window, and copied with what it needs.

const coloured = new WeakSet();
const colour = (card) => {
  if (coloured.has(card)) return;
  coloured.add(card);
  for (const code of all("pre.code, .uses pre, .rows code", card)) {
    const parts = Prism.tokenize(code.textContent, Prism.languages.python).flatMap(painted);
    code.replaceChildren(...parts);
  }
};
const KINDS = {
  keyword: "k", boolean: "k", comment: "c", string: "s", "triple-quoted-string": "s", "string-interpolation": "s",
  number: "m", function: "f", "class-name": "f",
};
const NAMES = new Set(["match", "case", "print", "exec"]); // keywords to Prism, and in the notes names of arguments and functions
const painted = (token) => {
  if (typeof token === "string") return [token];
  const kind = KINDS[token.type];
  if (kind && !NAMES.has(token.content)) return [made("span", { className: kind, textContent: textOf(token) })];
  return [textOf(token)];
};
const textOf = (token) => {
  if (typeof token === "string") return token;
  return Array.isArray(token.content) ? token.content.map(textOf).join("") : textOf(token.content);
};

const near = new IntersectionObserver(
  (entries) => {
    for (const { target, isIntersecting } of entries) {
      if (!isIntersecting) continue;
      near.unobserve(target);
      colour(target);
    }
  },
  { rootMargin: "800px 0px" },
);

const runnable = (card) =>
  all(".uses pre, pre.code", card)
    .sort((one, other) => one.matches(".code") - other.matches(".code"))
    .map((part) => part.textContent.trim())
    .join("\n\n") + "\n";

const say = (text) => ($("said").textContent = text);
const copy = async (button, text) => {
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

// What only a script can do is not there without one.
for (const card of cards) {
  const link = made("a", { className: "permalink", href: `#${card.id}`, textContent: "#" });
  link.setAttribute("aria-label", `Link to: ${nameOf(card)}`);
  card.querySelector(".tags").append(link);
  const code = card.querySelector("pre.code");
  if (code) {
    const button = made("button", { type: "button", className: "copy", textContent: "Copy", title: "With its imports and helpers" });
    button.setAttribute("aria-label", `Copy: ${nameOf(card)}`);
    button.addEventListener("click", () => copy(button, runnable(card)));
    code.before(made("p", { className: "code-head" }, button));
  }
  near.observe(card);
}
