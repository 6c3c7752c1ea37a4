import { pathText } from './json.ts';

const maxFound = 20;

/**
 * Paths of the keys that occur twice in one object of a JSON text, which `JSON.parse` passes over. The text must have
 * been parsed by it before: it is taken to be valid.
 */
export function findDuplicateKeys(text: string): string[] {
  const found: string[] = [];
  eachKey(text, (path, isAgain) => {
    if (isAgain && found.length < maxFound) found.push(pathText(path));
  });
  return found;
}

/**
 * The problems of a text in the order in which it has them, as Go's decoder tells them: a field that is unknown stands
 * where it stands first and is not told again, one that is doubled stands where it stands the second time.
 */
export function inOrderOfText<T>(text: string, unknown: ReadonlyMap<string, T>, doubled: ReadonlyMap<string, T>): T[] {
  const ordered = new Map<string, T>();
  eachKey(text, (path, isAgain) => {
    const name = pathText(path);
    const problem = unknown.get(name) ?? (isAgain ? doubled.get(name) : undefined);
    if (problem !== undefined && !ordered.has(name)) ordered.set(name, problem);
  });
  return [...ordered.values()];
}

function eachKey(text: string, visit: (path: readonly (string | number)[], isAgain: boolean) => void): void {
  const path: (string | number)[] = [];
  /** Of each open object the keys seen so far; of each open list undefined. */
  const open: (Set<string> | undefined)[] = [];
  let expectsKey = false;
  for (let at = 0; at < text.length; at += 1) {
    switch (text.charCodeAt(at)) {
      case 0x7b: // {
        open.push(new Set());
        path.push('');
        expectsKey = true;
        break;
      case 0x5b: // [
        open.push(undefined);
        path.push(0);
        break;
      case 0x7d: // }
      case 0x5d: // ]
        open.pop();
        path.pop();
        expectsKey = false;
        break;
      case 0x2c: {
        // ,
        const last = path.length - 1;
        const index = path[last];
        if (typeof index === 'number') path[last] = index + 1;
        else expectsKey = true;
        break;
      }
      case 0x22: {
        // "
        const end = endOfString(text, at);
        if (expectsKey) {
          const raw = text.slice(at + 1, end);
          const key = raw.includes('\\') ? String(JSON.parse(`"${raw}"`)) : raw;
          const seen = open[open.length - 1];
          path[path.length - 1] = key;
          visit(path, seen?.has(key) ?? false);
          seen?.add(key);
          expectsKey = false;
        }
        at = end;
        break;
      }
    }
  }
}

function endOfString(text: string, start: number): number {
  let end = text.indexOf('"', start + 1);
  while (isEscaped(text, end)) end = text.indexOf('"', end + 1);
  return end;
}

function isEscaped(text: string, at: number): boolean {
  let backslashes = 0;
  while (text.charCodeAt(at - 1 - backslashes) === 0x5c) backslashes += 1;
  return backslashes % 2 === 1;
}
