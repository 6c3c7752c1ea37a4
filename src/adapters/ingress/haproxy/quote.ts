// How text of users stands in a configuration, a map or a command without being read as one.

/** Cannot be said in a configuration of HAProxy: one sentence for terminals and conditions, which repeats no secret. */
export class Refused extends Error {
  constructor(message: string) {
    super(message.replace(/\p{Cc}/gu, '?'));
  }
}

/** Nothing that ends a line, or that a terminal or a header would act on. */
export function hasControl(text: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return /[\u0000-\u001f\u007f]/.test(text);
}

/** One word of haproxy.cfg. Between single quotes nothing has a meaning, not even a backslash (configuration.txt, 2.2). */
export function quote(text: string): string {
  if (hasControl(text)) throw new Refused('it has a control character');
  return /^[\w.:/@,+=-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** The same where the word is a log format (configuration.txt, 8.2.4): `%` begins a variable there. */
export function quoteFormat(text: string): string {
  return quote(text.replaceAll('%', '%%'));
}

/** One word of a command on the command line interface (management.txt, 9.3): a backslash takes the meaning from what follows. */
export function commandWord(text: string): string {
  if (hasControl(text)) throw new Refused('it has a control character');
  return text.replace(/[^\w.:/*|-]/gu, (character) => `\\${character}`);
}

/** Of a map's file: what stands before the first blank. Undefined: it cannot stand there. */
export function isMapKey(text: string): boolean {
  return text !== '' && !hasControl(text) && !/[\s]/.test(text) && !text.startsWith('#');
}
