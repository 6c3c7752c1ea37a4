import type { Configuration } from './render.ts';

/**
 * Whose lines HAProxy refuses, with its words: by the numbers of lines that it names, else by names of sections and files.
 * Empty: it names nobody. Pure.
 */
export function culprits(errors: readonly string[], { owners, files }: Configuration): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  const lines = (files.get('haproxy.cfg') ?? '').split('\n');
  const blame = (owner: string | undefined, error: string) => {
    if (owner !== undefined && !found.has(owner)) found.set(owner, plainWords(error));
  };
  for (const error of errors) {
    const before = found.size;
    for (const [, number] of error.matchAll(/haproxy\.cfg:(\d+)/g)) blame(owners[Number(number) - 1], error);
    if (found.size > before) continue;
    const words = [...error.matchAll(/'([^'\s]+)'|((?:ca|pages|lists|users)\/[\w.]+)/g)].map(
      ([, name, file]) => name ?? file ?? '',
    );
    for (const word of words) {
      const name = word.split('/')[0] ?? '';
      const at = lines.findIndex((line) => line === `backend ${name}` || (word.includes('/') && line.includes(word)));
      if (at >= 0) blame(owners[at], error);
    }
  }
  return found;
}

/** Without where it stands in a file that nobody wrote. */
function plainWords(error: string): string {
  return `HAProxy refuses it: ${error
    .replace(/^config : /, '')
    .replace(/parsing \[[^\]]*\] ?:? ?/, '')
    .trim()}`;
}
