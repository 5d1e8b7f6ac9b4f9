// One message as a node: a bubble with text or media, and its inline keyboard beneath.

import { richText } from "./rich_text.js";

const TIME = new Intl.DateTimeFormat("ru", { hour: "2-digit", minute: "2-digit" });

// What a pay button is called among the buttons; no callback data can be that.
export const PAY = "\u0000pay";

// `isSpinning(data)` tells whether a button waits for its answer; `tap(data)` taps it, `pay()` pays.
export function messageNode(message, { isSpinning, tap, pay }) {
  const article = document.createElement("article");
  article.className = `message ${message.is_from_bot ? "from-bot" : "from-person"}`;
  article.dataset.message = message.id;
  article.ariaLabel = message.is_from_bot ? "Бот" : "Вы";
  const bubble = document.createElement("div");
  bubble.className = `bubble ${message.kind}`;
  const media = mediaNode(message);
  if (media) bubble.append(media);
  if (message.html) {
    const text = document.createElement("div");
    text.className = "words";
    text.append(richText(message.html));
    bubble.append(text);
  }
  bubble.append(stamp(message));
  article.append(bubble);
  if (message.keyboard.length) article.append(keyboardNode(message.keyboard, isSpinning, tap, pay));
  return article;
}

function stamp(message) {
  const line = document.createElement("span");
  line.className = "stamp";
  const time = document.createElement("time");
  time.dateTime = message.sent_at;
  time.textContent = TIME.format(new Date(message.sent_at));
  if (message.edits > 0) {
    const edited = document.createElement("span");
    edited.className = "edited";
    edited.textContent = "изменено";
    line.append(edited, " ");
  }
  line.append(time);
  return line;
}

function mediaNode(message) {
  if (!message.file_id) return null;
  const address = `/file/${encodeURIComponent(message.file_id)}`;
  if (message.kind === "photo") return photo(address);
  if (message.kind === "video" || message.kind === "audio") {
    const player = document.createElement(message.kind);
    player.src = address;
    player.controls = true;
    player.loop = message.kind === "video";
    player.playsInline = true;
    player.preload = "metadata";
    return player;
  }
  const link = document.createElement("a");
  link.className = "document";
  link.href = address;
  link.download = message.file_name ?? "file";
  link.textContent = `📄 ${message.file_name ?? "Файл"}`;
  return link;
}

function photo(address) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "photo";
  button.ariaLabel = "Открыть фото";
  const image = document.createElement("img");
  image.src = address;
  image.alt = "Фото";
  button.append(image);
  button.addEventListener("click", () => {
    const viewer = document.getElementById("viewer");
    viewer.querySelector("img").src = address;
    viewer.showModal();
  });
  return button;
}

function keyboardNode(rows, isSpinning, tap, pay) {
  const keyboard = document.createElement("div");
  keyboard.className = "keyboard";
  keyboard.role = "group";
  keyboard.ariaLabel = "Кнопки сообщения";
  for (const row of rows) {
    const line = document.createElement("div");
    line.append(...row.map((button) => {
      if (button.is_pay) return payButton(button, isSpinning, pay);
      return button.url ? urlButton(button) : tapButton(button, isSpinning, tap);
    }));
    keyboard.append(line);
  }
  return keyboard;
}

function tapButton({ text, data }, isSpinning, tap) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = text;
  if (data === null) {
    button.disabled = true;
    return button;
  }
  button.dataset.tap = data;
  if (isSpinning(data)) button.ariaBusy = "true";
  button.addEventListener("click", () => tap(data));
  return button;
}

function payButton({ text }, isSpinning, pay) {
  const button = tapButton({ text, data: PAY }, isSpinning, pay);
  button.classList.add("pay");
  return button;
}

function urlButton({ text, url }) {
  const link = document.createElement("a");
  link.textContent = text;
  if (/^(https?|tg):/i.test(url)) link.href = url;
  link.target = "_blank";
  link.rel = "noopener noreferrer";
  return link;
}
