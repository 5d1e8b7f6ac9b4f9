// The log of calls between the bot and Telegram or KIE: newest first, filtered, pausable.

const KEPT_MAX = 500;
const ARROWS = { in: ["←", "к боту"], out: ["→", "от бота"] };
const CLOCK = new Intl.DateTimeFormat("ru", { hour: "2-digit", minute: "2-digit", second: "2-digit" });

export class WireLog {
  #entries = [];
  #waiting = 0;
  #isPaused = false;
  #body = document.getElementById("entries");
  #filter = document.getElementById("filter");
  #pause = document.getElementById("pause");

  constructor() {
    this.#filter.addEventListener("input", () => this.#draw());
    this.#pause.addEventListener("click", () => this.#setPaused(!this.#isPaused));
  }

  restart(entries) {
    this.#entries = entries.slice(-KEPT_MAX).reverse();
    if (!this.#isPaused) this.#draw();
  }

  add(entry) {
    this.#entries.unshift(entry);
    this.#entries.length = Math.min(this.#entries.length, KEPT_MAX);
    if (this.#isPaused) {
      this.#waiting += 1;
      this.#pause.textContent = `Дальше (${this.#waiting})`;
      return;
    }
    if (!this.#isWanted(entry)) return;
    this.#body.querySelector(".empty")?.closest("tr").remove();
    this.#body.prepend(entryRow(entry));
    while (this.#body.childElementCount > KEPT_MAX) this.#body.lastElementChild.remove();
  }

  #setPaused(isPaused) {
    this.#isPaused = isPaused;
    this.#waiting = 0;
    this.#pause.ariaPressed = String(isPaused);
    this.#pause.textContent = isPaused ? "Дальше" : "Пауза";
    if (!isPaused) this.#draw();
  }

  #isWanted(entry) {
    const words = this.#filter.value.trim().toLowerCase();
    const line = `${entry.service} ${entry.method} ${entry.status ?? "обрыв"} ${entry.summary}`;
    return line.toLowerCase().includes(words);
  }

  #draw() {
    const rows = this.#entries.filter((entry) => this.#isWanted(entry)).map(entryRow);
    this.#body.replaceChildren(...(rows.length ? rows : [emptyRow(this.#entries.length > 0)]));
  }
}

function entryRow(entry) {
  const row = document.createElement("tr");
  const at = new Date(entry.at);
  const time = cell(CLOCK.format(at), "time");
  const fraction = document.createElement("small");
  fraction.textContent = `,${String(at.getMilliseconds()).padStart(3, "0")}`;
  time.append(fraction);
  const [arrow, direction] = ARROWS[entry.direction];
  const arrowCell = cell(arrow, `arrow ${entry.direction}`);
  arrowCell.title = direction;
  const service = cell(entry.service, "service");
  service.dataset.service = entry.service;
  const method = cell("", "method");
  const name = document.createElement("span");
  name.textContent = entry.method;
  const summary = document.createElement("small");
  summary.textContent = entry.summary;
  method.append(name, summary);
  method.title = entry.summary;
  const status = cell(entry.status ?? "обрыв", "number status");
  status.classList.toggle("bad", entry.status === null || entry.status >= 400);
  const duration = entry.duration_s * 1000;
  row.append(
    time,
    arrowCell,
    service,
    method,
    status,
    cell(duration.toLocaleString("ru", { maximumFractionDigits: duration < 10 ? 1 : 0 }), "number"),
  );
  return row;
}

function emptyRow(isFiltered) {
  const row = document.createElement("tr");
  const words = cell(isFiltered ? "Ничего не найдено" : "Вызовов ещё не было", "empty");
  words.colSpan = 6;
  row.append(words);
  return row;
}

function cell(text, className) {
  const made = document.createElement("td");
  made.textContent = text;
  made.className = className;
  return made;
}
