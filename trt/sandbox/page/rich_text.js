// Telegram's HTML subset as DOM nodes, by whitelist: nothing is ever given to innerHTML.
// A tag that is not on the list, and any attribute that is not, stays visible as plain text.

const ALIASES = { strong: "b", em: "i", ins: "u", strike: "s", del: "s" };
const PLAIN = new Set(["b", "i", "u", "s", "code", "pre", "blockquote"]);
const ENTITIES = { lt: "<", gt: ">", amp: "&", quot: '"', apos: "'", nbsp: "\u00a0" };
const TOKEN = /<(\/?)([a-zA-Z][a-zA-Z0-9-]*)((?:\s[^<>]*)?)>|([^<]+|<)/g;

export function richText(html) {
  const root = document.createDocumentFragment();
  const open = [{ tag: null, node: root }];
  for (const [token, closing, name, attributes, text] of html.matchAll(TOKEN)) {
    const top = open[open.length - 1];
    if (text !== undefined) {
      top.node.append(decode(text));
      continue;
    }
    const tag = canonical(name, attributes);
    if (closing && open.length > 1 && (top.tag === tag || (name === "span" && top.tag === "tg-spoiler"))) {
      open.pop();
      continue;
    }
    const node = closing ? null : element(tag, attributes);
    if (node === null) {
      top.node.append(decode(token));
      continue;
    }
    top.node.append(node);
    open.push({ tag, node });
  }
  return root;
}

function canonical(name, attributes) {
  const tag = name.toLowerCase();
  if (tag === "span" && /\bclass\s*=\s*"tg-spoiler"/.test(attributes)) return "tg-spoiler";
  return ALIASES[tag] ?? tag;
}

function element(tag, attributes) {
  if (PLAIN.has(tag)) return document.createElement(tag);
  if (tag === "tg-spoiler") return spoiler();
  if (tag === "a") return link(attributes);
  return null;
}

function link(attributes) {
  const written = /\bhref\s*=\s*(?:"([^"]*)"|'([^']*)')/.exec(attributes);
  const address = decode(written?.[1] ?? written?.[2] ?? "");
  if (!/^(https?|tg|mailto|tel):/i.test(address)) return null;
  const anchor = document.createElement("a");
  anchor.href = address;
  anchor.target = "_blank";
  anchor.rel = "noopener noreferrer";
  return anchor;
}

function spoiler() {
  const hidden = document.createElement("span");
  hidden.className = "spoiler";
  hidden.role = "button";
  hidden.tabIndex = 0;
  hidden.ariaLabel = "Скрытый текст, нажмите, чтобы показать";
  const reveal = () => {
    hidden.classList.add("revealed");
    hidden.removeAttribute("role");
    hidden.removeAttribute("aria-label");
    hidden.removeAttribute("tabindex");
  };
  hidden.addEventListener("click", reveal);
  hidden.addEventListener("keydown", (event) => event.key === "Enter" && reveal());
  return hidden;
}

function decode(text) {
  return text.replace(/&(?:#(\d{1,7})|#[xX]([0-9a-fA-F]{1,6})|([a-z]{2,4}));/g, (whole, decimal, hex, name) => {
    if (name) return ENTITIES[name] ?? whole;
    const point = decimal ? Number(decimal) : parseInt(hex, 16);
    return point > 0 && point <= 0x10ffff ? String.fromCodePoint(point) : whole;
  });
}
