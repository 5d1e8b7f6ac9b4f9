// The chat of one person at a time: bubbles, buttons, toasts and the typing field.

import { PAY, messageNode } from "./bubble.js";
import { askToPay } from "./checkout.js";
import { Composer } from "./composer.js";
import { pay, send, tap } from "./server.js";

const SPINNER_MS_MAX = 15000;
// Telegram waits so long for the bot to agree to a payment.
const CHECKOUT_MS_MAX = 10000;
const TOAST_MS = 4000;
const ACTION_MS = 5000;
const ACTIONS = {
  typing: "печатает…",
  upload_photo: "отправляет фото…",
  record_video: "записывает видео…",
  upload_video: "отправляет видео…",
  record_voice: "записывает звук…",
  upload_voice: "отправляет звук…",
  upload_document: "отправляет файл…",
};
const NUMBER = new Intl.NumberFormat("ru");
const DAY = new Intl.DateTimeFormat("ru", { day: "numeric", month: "long" });

export class Chat {
  #user = null;
  #people = [];
  #unread = new Set();
  #spinning = new Map();
  #paying = new Map();
  #nodes = new Map();
  #toastTimer = 0;
  #actionTimer = 0;
  #status = document.getElementById("bot-status");
  #wasAtEnd = true;
  #switchTo;
  #list = document.getElementById("messages");
  #composer = new Composer((text) => this.#send(text));

  constructor({ switchTo }) {
    this.#switchTo = switchTo;
    document.getElementById("start").addEventListener("click", () => this.#send("/start"));
    // A picture that finishes loading must not push the newest words out of sight.
    this.#list.addEventListener("load", () => this.#stick(), true);
    this.#list.addEventListener("loadedmetadata", () => this.#stick(), true);
    this.#list.addEventListener("scroll", () => { this.#wasAtEnd = this.#isAtEnd(); });
    new ResizeObserver(() => this.#stick()).observe(this.#list);
  }

  show({ bot, people, user, messages }) {
    document.getElementById("bot-name").textContent = bot.name;
    this.#user = user;
    this.#people = people;
    this.#unread.delete(user);
    this.act(user, null);
    this.#nodes.clear();
    this.#list.replaceChildren();
    for (const message of messages) this.#place(message);
    this.#afterChange();
    this.#wasAtEnd = true;
    this.#stick();
    this.#showPeople();
    this.showStars(user, people.find(({ id }) => id === user).stars);
  }

  put(user, message) {
    if (user !== this.#user) {
      this.#unread.add(user);
      this.#showPeople();
      return;
    }
    const isNew = !this.#nodes.has(message.id);
    const node = this.#place(message);
    node.classList.add(isNew ? "arriving" : "flash");
    this.#afterChange();
    if (message.is_from_bot) this.act(user, null);
    else if (isNew) this.#wasAtEnd = true;
    this.#stick();
  }

  remove(user, messageId) {
    if (user !== this.#user) return;
    this.#nodes.get(messageId)?.remove();
    this.#nodes.delete(messageId);
    this.#afterChange();
  }

  answered({ user, message_id: messageId, data, text, is_alert: isAlert }) {
    this.#setSpinning(user, messageId, data, false);
    if (user === this.#user && text) this.#tell(text, isAlert);
  }

  showStars(user, stars) {
    const person = this.#people.find(({ id }) => id === user);
    if (person) person.stars = stars;
    if (user === this.#user) document.getElementById("stars").textContent = `⭐ ${NUMBER.format(stars)}`;
  }

  checkedOut({ user, text, is_alert: isAlert }) {
    const paying = this.#paying.get(user);
    if (!paying) return;
    clearTimeout(paying.timer);
    this.#paying.delete(user);
    this.#setSpinning(user, paying.messageId, PAY, false);
    if (user === this.#user) this.#tell(text, isAlert);
  }

  act(user, action) {
    clearTimeout(this.#actionTimer);
    const words = user === this.#user ? ACTIONS[action] : undefined;
    this.#status.textContent = words ?? "бот";
    this.#status.classList.toggle("busy", words !== undefined);
    if (words) this.#actionTimer = setTimeout(() => this.act(user, null), ACTION_MS);
  }

  #place(message) {
    const node = messageNode(message, {
      isSpinning: (data) => this.#spinning.has(spinnerKey(this.#user, message.id, data)),
      tap: (data) => this.#tap(message.id, data),
      pay: () => this.#pay(message),
    });
    const former = this.#nodes.get(message.id);
    if (former) {
      former.replaceWith(node);
    } else {
      this.#beginDay(message.sent_at);
      this.#list.append(node);
    }
    this.#nodes.set(message.id, node);
    return node;
  }

  #beginDay(at) {
    const day = DAY.format(new Date(at));
    const former = [...this.#list.querySelectorAll(".day")].pop();
    if (former?.textContent === day) return;
    const pill = document.createElement("p");
    pill.className = "day";
    pill.textContent = day;
    this.#list.append(pill);
  }

  #afterChange() {
    const isEmpty = this.#nodes.size === 0;
    document.getElementById("chat").classList.toggle("is-empty", isEmpty);
    document.getElementById("start").hidden = !isEmpty;
    document.getElementById("composer").hidden = isEmpty;
    const placeholder = this.#list.querySelector(".welcome");
    if (!isEmpty) {
      placeholder?.remove();
    } else if (!placeholder) {
      const welcome = document.createElement("p");
      welcome.className = "welcome";
      welcome.textContent = "Здесь пока нет сообщений. Нажмите «Старт», и бот расскажет, что умеет.";
      this.#list.replaceChildren(welcome);
    }
  }

  async #tap(messageId, data) {
    const user = this.#user;
    this.#setSpinning(user, messageId, data, true);
    try {
      await tap(user, messageId, data);
    } catch (error) {
      this.#setSpinning(user, messageId, data, false);
      this.#failed("Кнопка не сработала", error);
    }
  }

  async #pay({ id, invoice }) {
    const user = this.#user;
    const stars = this.#people.find((person) => person.id === user).stars;
    if (this.#paying.has(user) || !(await askToPay(invoice, stars))) return;
    const late = { user, text: "Бот не ответил за 10 секунд, звёзды не списаны", is_alert: true };
    const timer = setTimeout(() => this.checkedOut(late), CHECKOUT_MS_MAX);
    this.#paying.set(user, { messageId: id, timer });
    this.#setSpinning(user, id, PAY, true);
    try {
      await pay(user, id);
    } catch (error) {
      console.error(error);
      this.checkedOut({ user, text: "Заплатить не получилось", is_alert: false });
    }
  }

  async #send(text) {
    try {
      await send(this.#user, text);
    } catch (error) {
      this.#composer.giveBack(text);
      this.#failed("Сообщение не отправлено", error);
    }
  }

  #setSpinning(user, messageId, data, isSpinning) {
    const key = spinnerKey(user, messageId, data);
    clearTimeout(this.#spinning.get(key));
    this.#spinning.delete(key);
    if (isSpinning) {
      const stop = () => this.#setSpinning(user, messageId, data, false);
      this.#spinning.set(key, setTimeout(stop, SPINNER_MS_MAX));
    }
    if (user !== this.#user) return;
    for (const button of this.#nodes.get(messageId)?.querySelectorAll("button[data-tap]") ?? []) {
      if (button.dataset.tap === data) button.ariaBusy = isSpinning ? "true" : null;
    }
  }

  #failed(words, error) {
    console.error(error);
    this.#toast(words);
  }

  #tell(text, isAlert) {
    if (!isAlert) {
      this.#toast(text);
      return;
    }
    document.getElementById("alert-text").textContent = text;
    const alert = document.getElementById("alert");
    if (!alert.open) alert.showModal();
  }

  #toast(text) {
    const toast = document.getElementById("toast");
    toast.textContent = text;
    toast.classList.add("shown");
    clearTimeout(this.#toastTimer);
    this.#toastTimer = setTimeout(() => toast.classList.remove("shown"), TOAST_MS);
  }

  #showPeople() {
    const chips = this.#people.map((person, index) => {
      const chip = document.createElement("button");
      chip.type = "button";
      chip.ariaPressed = String(person.id === this.#user);
      chip.dataset.user = person.id;
      const avatar = document.createElement("span");
      avatar.className = "avatar";
      avatar.dataset.hue = index % 4;
      avatar.ariaHidden = "true";
      avatar.textContent = person.name.slice(0, 1);
      const language = document.createElement("small");
      language.textContent = person.language;
      chip.append(avatar, person.name, language);
      if (this.#unread.has(person.id)) {
        chip.classList.add("unread");
        chip.ariaLabel = `${person.name}, есть новые сообщения`;
      }
      chip.addEventListener("click", () => this.#switchTo(person.id));
      return chip;
    });
    document.getElementById("people").replaceChildren(...chips);
  }

  #isAtEnd() {
    return this.#list.scrollHeight - this.#list.scrollTop - this.#list.clientHeight < 60;
  }

  #stick() {
    if (this.#wasAtEnd) this.#list.scrollTop = this.#list.scrollHeight;
  }
}

function spinnerKey(user, messageId, data) {
  return `${user}/${messageId}/${data}`;
}
