// The only place that talks to the page's server.

export async function loadState(userId) {
  const query = userId === null ? "" : `?user=${userId}`;
  return answered(await fetch(`/api/state${query}`));
}

export async function send(user, text) {
  return post("/api/send", { user, text });
}

export async function tap(user, messageId, data) {
  return post("/api/tap", { user, message_id: messageId, data });
}

export async function pay(user, messageId) {
  return post("/api/pay", { user, message_id: messageId });
}

// Calls the listener of each event; `opened` also after every reconnection.
export function watch({ opened, lost, ...listeners }) {
  const events = new EventSource("/api/events");
  events.addEventListener("open", opened);
  events.addEventListener("error", lost);
  for (const [name, listener] of Object.entries(listeners)) {
    events.addEventListener(name, (event) => listener(JSON.parse(event.data)));
  }
}

async function post(path, body) {
  return answered(
    await fetch(path, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    }),
  );
}

async function answered(response) {
  const body = await response.json();
  if (!response.ok) throw new Error(`${response.status}: ${body.field ?? body.error}: ${body.mend}`);
  return body;
}
