// The typing field: Enter sends, Shift+Enter breaks the line, "/" offers the bot's commands.

const COMMANDS = [
  ["/start", "начать сначала"],
  ["/balance", "сколько денег на счёте"],
  ["/help", "как всё устроено"],
];

export class Composer {
  #field = document.getElementById("text");
  #hints = document.getElementById("hints");
  #menu = document.getElementById("menu");
  #send;

  constructor(send) {
    this.#send = send;
    this.#field.addEventListener("input", () => this.#typed());
    this.#field.addEventListener("keydown", (event) => this.#pressed(event));
    this.#menu.addEventListener("click", () => this.#offer(this.#hints.hidden ? COMMANDS : []));
    document.getElementById("composer").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit(this.#field.value);
    });
  }

  giveBack(text) {
    if (!this.#field.value) this.#field.value = text;
    this.#typed();
  }

  #typed() {
    this.#field.style.height = "auto";
    this.#field.style.height = `${Math.min(this.#field.scrollHeight, 140)}px`;
    const typed = this.#field.value;
    this.#offer(typed.startsWith("/") ? COMMANDS.filter(([command]) => command.startsWith(typed)) : []);
  }

  #pressed(event) {
    if (event.key === "Escape") this.#offer([]);
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    this.#submit(this.#field.value);
  }

  #submit(text) {
    text = text.trim();
    if (!text) return;
    this.#field.value = "";
    this.#typed();
    this.#send(text);
  }

  #offer(commands) {
    this.#hints.replaceChildren(
      ...commands.map(([command, meaning]) => {
        const item = document.createElement("li");
        const button = document.createElement("button");
        button.type = "button";
        const name = document.createElement("strong");
        name.textContent = command;
        button.append(name, " ", meaning);
        button.addEventListener("click", () => {
          this.#submit(command);
          this.#field.focus();
        });
        item.append(button);
        return item;
      }),
    );
    this.#hints.hidden = commands.length === 0;
    this.#menu.ariaExpanded = String(commands.length > 0);
  }
}
