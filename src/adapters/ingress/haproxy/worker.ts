// What the newest worker is known to have in force, and the commands that bring it to what is wished. Pure.
import type { IngressEndpoint } from '../port.ts';
import { crtList, defaultCertificate, mapFiles } from './frame.ts';
import { commandWord } from './quote.ts';
import type { NamedSection } from './registry.ts';
import { crtListWords, type Maps } from './render.ts';
import { serverAddress, serverId, serverName, serversOf } from './server.ts';
import type { Wish } from './wish.ts';

export interface WorkerServer {
  readonly id: number;
  /** Takes no new request; it is removed when its connections are gone. */
  readonly isLeaving: boolean;
}

/** Changed only after a worker has said that it did what it was told. */
export interface WorkerModel {
  readonly pid: number;
  /** By section, by name. */
  readonly servers: Map<string, Map<string, WorkerServer>>;
  readonly maps: Map<string, Map<string, string>>;
  /** Files of the certificate list → their names. */
  readonly certificates: Map<string, string>;
  /** Of what is shown to a client that names no host we know. */
  defaultPem: string | undefined;
  /** Of which state each section was last made: the same array means that nothing is to do. */
  readonly seen: Map<string, readonly IngressEndpoint[]>;
}

export interface Command {
  readonly text: string;
  /** Lines that follow it. */
  readonly payload?: string;
  /** What it answers when it was done; a test on its words. */
  readonly isDone: (answer: string) => boolean;
  /** Where it fails the rest goes on. */
  readonly mayFail?: boolean;
  /** To the model, once it was done. */
  readonly learn?: () => void;
}

export interface WorkerWish {
  readonly wish: Wish;
  readonly maps: Maps;
  /** By name. */
  readonly sections: ReadonlyMap<string, NamedSection>;
  /** By name: endpoints of what is wished. */
  readonly endpoints: ReadonlyMap<string, readonly IngressEndpoint[]>;
  /** `address:port` of all endpoints of the state. */
  readonly alive: ReadonlySet<string>;
  readonly defaultPem: string;
}

const isSilent = (answer: string) => answer === '';
const says = (word: string) => (answer: string) => answer.includes(word);

/** Of a worker that has just loaded what is wanted. */
export function modelOf(pid: number, wanted: WorkerWish, sections: ReadonlySet<string>): WorkerModel {
  const servers = new Map<string, Map<string, WorkerServer>>();
  for (const section of sections) {
    const taken = new Set<number>();
    const known = new Map<string, WorkerServer>();
    for (const [server, endpoint] of serversOf(wanted.endpoints.get(section) ?? [])) {
      const id = serverId(endpoint, taken);
      taken.add(id);
      known.set(server, { id, isLeaving: false });
    }
    servers.set(section, known);
  }
  const maps = new Map([...wanted.maps].map(([file, map]) => [file, new Map(map)]));
  const certificates = new Map(
    [...wanted.wish.certificates.values()].map(({ file, hosts }) => [file, crtListWords(hosts)]),
  );
  return { pid, servers, maps, certificates, defaultPem: wanted.defaultPem, seen: new Map() };
}

/** In the order in which no request finds less than there was: servers come before routes to them, and go after. */
export function planWorker(model: WorkerModel, wanted: WorkerWish): readonly Command[] {
  const { adding, removing } = serverCommands(model, wanted);
  return [
    ...planCertificates(model, wanted.wish, wanted.defaultPem),
    ...adding,
    ...mapFiles.flatMap((file) => mapCommands(model, file, wanted)),
    ...removing,
    ...oldCertificates(model, wanted),
  ];
}

function serverCommands(model: WorkerModel, wanted: WorkerWish) {
  const adding: Command[] = [];
  const removing: Command[] = [];
  for (const [section, servers] of model.servers) {
    // Of nobody any more: those that are alive stay, requests may still be on their way to them.
    const endpoints = wanted.endpoints.get(section);
    if (endpoints !== undefined && model.seen.get(section) === endpoints) continue;
    const named = wanted.sections.get(section);
    const target = endpoints && serversOf(endpoints);
    const taken = new Set([...servers.values()].map(({ id }) => id));
    const before = adding.length + removing.length;
    let isGrown = false;
    for (const [server, endpoint] of target ?? []) {
      const known = servers.get(server);
      if (known && !known.isLeaving) continue;
      if (known) adding.push(...returnCommands(model, section, server, known));
      else if (named) {
        const id = serverId(endpoint, taken);
        taken.add(id);
        isGrown = true;
        adding.push(...addCommands(model, section, endpoint, { id, named }));
      }
    }
    if (isGrown && named?.cookieSecret !== undefined) {
      // A server that is added has no cookie until the key is told.
      const text = `set dynamic-cookie-key backend ${commandWord(section)} ${commandWord(named.cookieSecret)}`;
      adding.push({ text, isDone: isSilent });
    }
    for (const [server, known] of servers) {
      const stays = target ? target.has(server) : wanted.alive.has(server);
      if (!stays && !known.isLeaving) removing.push(leaveCommand(model, section, server, known));
    }
    if (endpoints && adding.length + removing.length === before) model.seen.set(section, endpoints);
  }
  return { adding, removing };
}

function addCommands(
  model: WorkerModel,
  section: string,
  endpoint: IngressEndpoint,
  { id, named }: { readonly id: number; readonly named: NamedSection },
): readonly Command[] {
  const server = serverName(endpoint);
  const at = `${commandWord(section)}/${commandWord(server)}`;
  const words = ['id', String(id), ...named.serverWords].map(commandWord).join(' ');
  const set = (isLeaving: boolean) => () => model.servers.get(section)?.set(server, { id, isLeaving });
  return [
    {
      text: `add server ${at} ${commandWord(serverAddress(endpoint))} ${words}`,
      isDone: says('New server registered'),
      learn: set(true),
    },
    { text: `enable server ${at}`, isDone: isSilent, learn: set(false) },
    ...(named.serverWords.includes('check') ? [{ text: `enable health ${at}`, isDone: isSilent }] : []),
  ];
}

function returnCommands(model: WorkerModel, section: string, server: string, known: WorkerServer): readonly Command[] {
  const text = `set server ${commandWord(section)}/${commandWord(server)} state ready`;
  const learn = () => model.servers.get(section)?.set(server, { ...known, isLeaving: false });
  return [{ text, isDone: isSilent, learn }];
}

/** `maint`, not `drain`: a client with the cookie of a server that drains is still sent there. */
function leaveCommand(model: WorkerModel, section: string, server: string, known: WorkerServer): Command {
  const text = `set server ${commandWord(section)}/${commandWord(server)} state maint`;
  const learn = () => model.servers.get(section)?.set(server, { ...known, isLeaving: true });
  return { text, isDone: (answer) => isSilent(answer) || /No such server/i.test(answer), learn };
}

/** Of servers that left; refused as long as a connection is open to one. */
export function planRemovals(model: WorkerModel, limit: number): readonly Command[] {
  const commands: Command[] = [];
  for (const [section, servers] of model.servers) {
    for (const [server, { isLeaving }] of servers) {
      if (!isLeaving || commands.length >= limit) continue;
      const text = `del server ${commandWord(section)}/${commandWord(server)}`;
      const learn = () => servers.delete(server);
      commands.push({ text, isDone: (answer) => /Server deleted|No such server/i.test(answer), mayFail: true, learn });
    }
  }
  return commands;
}

function mapCommands(model: WorkerModel, file: (typeof mapFiles)[number], wanted: WorkerWish): readonly Command[] {
  const target = wanted.maps.get(file) ?? new Map<string, string>();
  const own = model.maps.get(file) ?? new Map<string, string>();
  model.maps.set(file, own);
  const commands: Command[] = [];
  const added: [string, string][] = [];
  for (const [key, value] of target) {
    if (own.get(key) === value) continue;
    if (!own.has(key)) added.push([key, value]);
    else commands.push(setCommand(file, key, value, own));
  }
  for (const key of own.keys()) {
    if (target.has(key)) continue;
    const text = `del map ${file} ${commandWord(key)}`;
    commands.push({
      text,
      isDone: (answer) => isSilent(answer) || /not found/i.test(answer),
      learn: () => own.delete(key),
    });
  }
  const chunks: Command[] = [];
  for (let from = 0; from < added.length; from += entriesAtOnce) {
    const entries = added.slice(from, from + entriesAtOnce);
    const payload = entries.map(([key, value]) => `${key} ${value}\n`).join('');
    const learn = () => {
      for (const [key, value] of entries) own.set(key, value);
    };
    chunks.push({ text: `add map ${file}`, payload, isDone: isSilent, learn });
  }
  return [...chunks, ...commands];
}

/** What goes with one command must fit into HAProxy's buffer of 16 KiB; a key and its value have 2,500 bytes at most together. */
const entriesAtOnce = 5;

function setCommand(file: string, key: string, value: string, own: Map<string, string>): Command {
  const text = `set map ${file} ${commandWord(key)} ${commandWord(value)}`;
  return { text, isDone: isSilent, learn: () => own.set(key, value) };
}

/** What is shown from now on. */
export function planCertificates(model: WorkerModel, wish: Wish, defaultPem: string): readonly Command[] {
  const commands: Command[] = [];
  for (const { file, pem, hosts } of wish.certificates.values()) {
    if (model.certificates.has(file)) continue;
    const names = crtListWords(hosts);
    commands.push(
      { text: `new ssl cert ${file}`, isDone: (answer) => /New empty certificate store|already exists/i.test(answer) },
      { text: `set ssl cert ${file}`, payload: pem, isDone: says('Transaction') },
      { text: `commit ssl cert ${file}`, isDone: says('Success!') },
      {
        text: `add ssl crt-list ${crtList}`,
        payload: `${file} ${names}\n`,
        isDone: says('Success!'),
        learn: () => model.certificates.set(file, names),
      },
    );
  }
  if (model.defaultPem !== defaultPem) {
    const learn = () => {
      model.defaultPem = defaultPem;
    };
    commands.push(
      { text: `set ssl cert ${defaultCertificate}`, payload: defaultPem, isDone: says('Transaction') },
      { text: `commit ssl cert ${defaultCertificate}`, isDone: says('Success!'), learn },
    );
  }
  return commands;
}

function oldCertificates(model: WorkerModel, { wish }: WorkerWish): readonly Command[] {
  return [...model.certificates.keys()]
    .filter((file) => !wish.certificates.has(file))
    .flatMap((file) => [
      {
        text: `del ssl crt-list ${crtList} ${file}`,
        isDone: says('deleted'),
        learn: () => model.certificates.delete(file),
      },
      { text: `del ssl cert ${file}`, isDone: says('deleted'), mayFail: true },
    ]);
}
