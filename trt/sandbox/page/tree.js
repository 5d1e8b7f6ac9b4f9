// The supervision tree and the channels, drawn afresh from each snapshot.

const WORDS = {
  starting: "запускается",
  running: "работает",
  backing_off: "ждёт перезапуска",
  stopping: "останавливается",
  stopped: "остановлен",
  failed: "сбой",
};
const KINDS = { supervisor: "супервизор", directory: "справочник", actor: "актор" };

export function showTree(tree) {
  const rows = [];
  const walk = (node, depth) => {
    rows.push(actorRow(node, depth));
    for (const child of node.children ?? []) walk(child, depth + 1);
  };
  if (tree.name) walk(tree, 0);
  if (rows.length) document.getElementById("tree").replaceChildren(...rows.map(({ row }) => row));
  const troubled = rows.filter(({ isTroubled }) => isTroubled).length;
  const summary = document.getElementById("tree-summary");
  summary.textContent = troubled ? `всего ${rows.length}, не в порядке: ${troubled}` : `всего ${rows.length}, все в порядке`;
  summary.classList.toggle("troubled", troubled > 0);
  const channels = document.getElementById("channels");
  channels.replaceChildren(...(tree.channels ?? []).map(channelRow));
  channels.closest("table").hidden = channels.childElementCount === 0;
}

function actorRow(node, depth) {
  const row = document.createElement("tr");
  const name = cell("", "name");
  name.style.setProperty("--depth", depth);
  name.title = `${node.path ?? node.name}: ${KINDS[node.kind] ?? node.kind}`;
  const label = document.createElement(depth === 0 || node.children?.length ? "strong" : "span");
  label.textContent = node.name;
  name.append(label);
  const state = cell("", "state");
  // A child that stopped without an error has finished its work, such as setting the webhook.
  const isDone = node.state === "stopped" && !node.last_error;
  state.dataset.state = isDone ? "done" : node.state;
  state.textContent = isDone ? "закончил" : (WORDS[node.state] ?? node.state);
  if (node.state === "backing_off" && node.backoff_s > 0) state.textContent += ` ${seconds(node.backoff_s)}`;
  if (node.last_error) state.title = `Последняя ошибка: ${node.last_error}`;
  const restarts = cell(node.restarts, "number restarts");
  restarts.classList.toggle("dim", !node.restarts);
  if (node.restarts) restarts.title = `в окне: ${node.restarts_in_window}, осталось: ${node.budget_left}`;
  const age = cell(node.mailbox?.depth ? seconds(node.mailbox.oldest_age_s) : "", "number");
  const current = cell(node.current_message ?? "", "current");
  row.append(name, state, restarts, fillCell(node.mailbox), age, current);
  return { row, isTroubled: !isDone && ["backing_off", "failed", "stopped"].includes(node.state) };
}

function channelRow(channel) {
  const row = document.createElement("tr");
  const refused = cell(channel.refused, "number");
  refused.classList.toggle("bad", channel.refused > 0);
  row.append(
    cell(channel.name, "name"),
    fillCell(channel),
    cell(channel.peak, "number spare"),
    cell(channel.received, "number spare"),
    refused,
    cell(channel.depth ? seconds(channel.oldest_age_s) : "", "number"),
  );
  return row;
}

function fillCell(box) {
  const filled = cell("", "fill");
  if (!box) return filled;
  const share = box.capacity ? Math.min(box.depth / box.capacity, 1) : 0;
  const meter = document.createElement("i");
  meter.className = share < 0.5 ? "meter" : share < 0.8 ? "meter high" : "meter full";
  meter.ariaHidden = "true"; // the numbers beside it say the same
  meter.style.setProperty("--share", share);
  const words = document.createElement("span");
  words.textContent = `${box.depth}/${box.capacity}`;
  filled.append(meter, words);
  return filled;
}

function cell(text, className) {
  const made = document.createElement("td");
  made.textContent = text;
  made.className = className;
  return made;
}

function seconds(value) {
  const digits = value < 10 ? 1 : 0;
  return `${value.toLocaleString("ru", { maximumFractionDigits: digits })} с`;
}
