/** Watches and followed logs: they end when the client wants, or the server stops. */
export function isLong(url: string | undefined): boolean {
  return /[?&](watch|follow)=(true|1)\b/.test(url ?? '');
}
