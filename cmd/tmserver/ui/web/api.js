// @ts-check
// Requests to the server that the page comes from.

/** An answer that is no success. */
export class Failed extends Error {
  /** @param {number} status @param {string} message */
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/**
 * What the server answers, as text.
 * @param {string} path below /api/v1/
 * @param {Record<string, string | string[] | undefined>} [parameters]
 * @param {RequestInit} [options]
 */
export async function text(path, parameters = {}, options = {}) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    for (const one of Array.isArray(value) ? value : value ? [value] : []) query.append(name, one);
  }
  const parts = query.toString();

  let answer;
  try {
    answer = await fetch(`/api/v1/${path}${parts ? "?" + parts : ""}`, { credentials: "same-origin", ...options });
  } catch {
    throw new Failed(0, "The server does not answer. Does it still run?");
  }
  const body = await answer.text();
  if (!answer.ok) {
    let message = body.trim();
    try {
      const parsed = JSON.parse(body);
      message = parsed.error?.message ?? parsed.error ?? message;
    } catch { /* plain text */ }
    throw new Failed(answer.status, String(message || answer.statusText));
  }
  return body;
}

/**
 * What the server answers, of JSON.
 * @param {string} path @param {Record<string, string | string[] | undefined>} [parameters] @param {RequestInit} [options]
 */
export async function get(path, parameters, options) {
  const body = await text(path, parameters, options);
  return body ? JSON.parse(body) : null;
}

/** @param {string} path @param {any} [body] @param {string} [method] */
export function send(path, body, method = "POST") {
  return get(path, {}, { method, headers: { "Content-Type": "application/json" }, body: body === undefined ? undefined : JSON.stringify(body) });
}

/** Follows a job until it has ended. @param {any} job @param {(job: any) => void} changed @param {AbortSignal} signal @returns {Promise<any>} */
export function follow(job, changed, signal) {
  return new Promise((done, failed) => {
    const events = new EventSource(`/api/v1/jobs/${job.id}/events`);
    const end = () => events.close();
    signal.addEventListener("abort", () => { end(); failed(new Failed(0, "left")); });
    events.addEventListener("progress", (event) => changed(JSON.parse(event.data)));
    events.addEventListener("end", (event) => { end(); done(JSON.parse(event.data)); });
    // The browser tries again by itself, unless the server has refused.
    events.addEventListener("error", () => { if (events.readyState === EventSource.CLOSED) failed(new Failed(0, "The server does not answer.")); });
  });
}
