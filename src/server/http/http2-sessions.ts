import type { ServerHttp2Session } from 'node:http2';

/** A connection of HTTP/2 that has asked for nothing by then is closed. */
const firstRequestMs = 30_000;
/** An idle one is asked whether anybody is there, and closed when nobody answers. */
const idleMs = 60_000;
const pingAnswerMs = 10_000;

/**
 * A client may vanish without a word, or never say one: both are noticed, and the connection is given up. Floods of streams
 * that are begun and reset are nghttp2's own concern: it ends the connection beyond a thousand, and 33 a second.
 */
export function watchOver(session: ServerHttp2Session): void {
  let hasAsked = false;
  session.once('stream', () => {
    hasAsked = true;
    session.setTimeout(idleMs);
  });
  session.on('timeout', () => {
    if (session.destroyed) return;
    if (!hasAsked) return session.close();
    const giveUp = setTimeout(() => session.destroy(), pingAnswerMs);
    giveUp.unref();
    if (!session.ping(() => clearTimeout(giveUp))) clearTimeout(giveUp);
    session.setTimeout(idleMs);
  });
  session.setTimeout(firstRequestMs);
}
