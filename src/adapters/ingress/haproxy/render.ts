import { createHash } from 'node:crypto';
import type { Environment, Line } from './bind-lines.ts';
import { crtList, defaultCertificate, handoverMap, type mapFiles, renderFrame, serverStates } from './frame.ts';
import { quote } from './quote.ts';
import type { NamedSection } from './registry.ts';
import { listName } from './section.ts';
import { serverAddress, serverId, serversOf } from './server.ts';
import { noServerStates } from './server-states.ts';
import type { Wish, WishedRoute, WishedSection } from './wish.ts';

/** What a worker looks things up in, by file. */
export type Maps = ReadonlyMap<(typeof mapFiles)[number], ReadonlyMap<string, string>>;

export interface Frame {
  readonly lines: readonly Line[];
  readonly files: ReadonlyMap<string, string>;
  /** Of all that it says. */
  readonly hash: string;
}

export function frameOf(wish: Wish, names: ReadonlyMap<string, string>, environment: Environment): Frame {
  const frame = renderFrame(wish, (section) => nameOf(names, section), environment);
  const hash = createHash('sha256');
  for (const { text } of frame.lines) hash.update(text).update('\n');
  return { ...frame, hash: hash.digest('hex').slice(0, 16) };
}

export function nameOf(names: ReadonlyMap<string, string>, section: string): string {
  const name = names.get(section);
  if (name === undefined) throw new Error(`a section without a name: ${section}`);
  return name;
}

export function mapsOf(wish: Wish, names: ReadonlyMap<string, string>): Maps {
  return new Map([
    ['hosts.map', new Map([...wish.hosts].map((host) => [host, host]))],
    ['exact.map', routeMap(wish.exact, names)],
    ['prefix.map', routeMap(wish.prefix, names)],
    ['challenges.map', wish.challenges],
  ]);
}

/** `<section>|<R: to HTTPS>|<seconds of HSTS>` */
function routeMap(
  routes: ReadonlyMap<string, WishedRoute>,
  names: ReadonlyMap<string, string>,
): ReadonlyMap<string, string> {
  const value = ({ section, redirectsToHttps, hstsSeconds }: WishedRoute) =>
    `${nameOf(names, section)}|${redirectsToHttps ? 'R' : '-'}|${hstsSeconds ?? ''}`;
  return new Map([...routes].map(([key, route]) => [key, value(route)]));
}

/** What stands behind a certificate's file in the list: `[options] names`. */
export function crtListWords(hosts: readonly string[]): string {
  return hosts.join(' ');
}

export interface Configuration {
  /** haproxy.cfg and all files it names, by name. */
  readonly files: ReadonlyMap<string, string>;
  /** Whose each line of haproxy.cfg is, from the first on. */
  readonly owners: readonly (string | undefined)[];
}

export interface ConfigurationInput {
  readonly wish: Wish;
  readonly frame: Frame;
  readonly names: ReadonlyMap<string, string>;
  /** Of all that will stand in it; spare ones too. */
  readonly sections: ReadonlyMap<string, NamedSection>;
  readonly inForce: ReadonlySet<string>;
  readonly generation: number;
  readonly defaultPem: string;
}

/** What a new worker reads; it starts with all servers that there are. */
export function renderConfiguration(input: ConfigurationInput): Configuration {
  const { wish, frame, names, inForce, generation } = input;
  const files = new Map(frame.files);
  const lines: Line[] = [];
  for (const line of frame.lines) {
    lines.push(line);
    if (line.text === 'global') lines.push({ text: `  description flotilla-${generation}` });
  }
  const lists = new Set<string>();
  const named = new Set<string>();
  for (const [key, section] of wish.sections) {
    for (const [file, content] of section.form.files) {
      if (!file.startsWith('users/')) files.set(file, content);
      else if (!lists.has(file)) {
        lists.add(file);
        const users = content.split('\n').filter((line) => line !== '');
        lines.push({ text: `userlist ${listName(file)}`, owner: key }, ...users.map((text) => ({ text, owner: key })));
      }
    }
    const name = nameOf(names, key);
    named.add(name);
    lines.push(...sectionLines(name, section));
  }
  for (const name of inForce) if (!named.has(name)) lines.push({ text: `backend ${name}` });
  for (const [file, map] of mapsOf(wish, names)) {
    files.set(file, [...map].map(([mapKey, value]) => `${mapKey} ${value}\n`).join(''));
  }
  files.set(handoverMap, '');
  files.set(serverStates, noServerStates);
  files.set(defaultCertificate, input.defaultPem);
  files.set(crtList, renderCrtList(wish));
  for (const { file, pem } of wish.certificates.values()) files.set(file, pem);
  files.set('haproxy.cfg', lines.map(({ text }) => `${text}\n`).join(''));
  return { files, owners: lines.map(({ owner }) => owner) };
}

function renderCrtList(wish: Wish): string {
  const certificates = [...wish.certificates.values()];
  return [`${defaultCertificate}\n`, ...certificates.map(({ file, hosts }) => `${file} ${crtListWords(hosts)}\n`)].join(
    '',
  );
}

function sectionLines(name: string, { key, backend, form }: WishedSection): readonly Line[] {
  const taken = new Set<number>();
  const servers = [...serversOf(backend.endpoints)].map(([server, endpoint]) => {
    const id = serverId(endpoint, taken);
    taken.add(id);
    const words = [server, serverAddress(endpoint), 'id', String(id), ...form.serverWords];
    return `server ${words.map(quote).join(' ')}`;
  });
  const texts = [...form.lines, ...servers].map((text) => `  ${text}`);
  return [`backend ${name}`, ...texts].map((text) => ({ text, owner: key }));
}
