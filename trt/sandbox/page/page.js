// The sandbox page: brings the server's events to the chat, the tree and the wire log.

import { Chat } from "./chat.js";
import { loadState, watch } from "./server.js";
import { showTree } from "./tree.js";
import { WireLog } from "./wire.js";

const link = document.getElementById("link");
const wire = new WireLog();
const chat = new Chat({ switchTo: load });
let userId = null;
let loading = 0;
const overtaking = [];

async function load(wanted) {
  userId = wanted;
  loading += 1;
  try {
    const state = await loadState(wanted);
    if (wanted === userId) {
      userId = state.user;
      chat.show(state);
    }
  } finally {
    loading -= 1;
    for (const apply of overtaking.splice(0)) apply();
  }
}

// What arrives while a chat is being loaded may be newer than what is loaded: it goes on top.
function afterLoading(apply) {
  return (event) => (loading ? overtaking.push(() => apply(event)) : apply(event));
}

function showLink(isUp) {
  link.textContent = isUp ? "на связи" : "нет связи, жду…";
  link.classList.toggle("down", !isUp);
}

watch({
  opened: () => {
    showLink(true);
    load(userId);
  },
  lost: () => showLink(false),
  hello: ({ wire: entries }) => wire.restart(entries),
  wire: (entry) => wire.add(entry),
  tree: showTree,
  message: afterLoading(({ user, message }) => chat.put(user, message)),
  gone: afterLoading(({ user, message_id }) => chat.remove(user, message_id)),
  action: ({ user, action }) => chat.act(user, action),
  answer: (answer) => chat.answered(answer),
  stars: afterLoading(({ user, stars }) => chat.showStars(user, stars)),
  checkout: (end) => chat.checkedOut(end),
});

for (const tab of document.querySelectorAll(".tabs button")) {
  tab.addEventListener("click", () => {
    document.body.dataset.tab = tab.dataset.tab;
    for (const other of document.querySelectorAll(".tabs button")) {
      other.ariaCurrent = other === tab ? "page" : null;
    }
  });
}
