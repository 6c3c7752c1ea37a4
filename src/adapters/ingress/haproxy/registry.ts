// Which section is whose: what a worker calls a backend, for as long as any worker knows it. Kept beside the configuration, so
// that an agent that starts again knows what the commands to a running HAProxy must name.
import { createHash } from 'node:crypto';
import type { IngressBackend } from '../port.ts';
import type { Wish, WishedSection } from './wish.ts';

export interface NamedSection {
  /** Whose it is. Undefined: a spare one that nobody has. */
  readonly key?: string;
  /** A backend's name as the state has it. */
  readonly backend?: string;
  readonly serverWords: readonly string[];
  readonly cookieSecret?: string;
  readonly mode: 'http' | 'tcp';
  /** How its servers are checked: what sections find that say the same here is the same. Undefined: they are not. */
  readonly checks?: string;
}

export interface Registry {
  /** Of the configuration that is in force; 0: none yet. */
  readonly generation: number;
  /** Hash of its frame. */
  readonly frame: string;
  /** By name. Those of earlier configurations too, until no worker has them. */
  readonly sections: ReadonlyMap<string, NamedSection>;
  /** Names in the configuration that is in force. */
  readonly inForce: ReadonlySet<string>;
  /** Spare sections are counted and never called the same. */
  readonly nextSpare: number;
}

export const emptyRegistry: Registry = {
  generation: 0,
  frame: '',
  sections: new Map(),
  inForce: new Set(),
  nextSpare: 1,
};

export interface Naming {
  /** By the section's key. */
  readonly names: ReadonlyMap<string, string>;
  readonly sections: ReadonlyMap<string, NamedSection>;
  /** Those that stand in no running configuration. */
  readonly unknown: readonly string[];
  /** Spare sections were given away: it must be remembered before it is done. */
  readonly isChanged: boolean;
}

/** By the section's key. */
export function namesInForce({
  sections,
  inForce,
}: Pick<Registry, 'sections' | 'inForce'>): ReadonlyMap<string, string> {
  const names = new Map<string, string>();
  for (const [name, { key }] of sections) if (key !== undefined && inForce.has(name)) names.set(key, name);
  return names;
}

/** Who has a name keeps it; a plain one that has none takes a spare section. Pure. */
export function nameSections({ sections, inForce }: Registry, wish: Wish): Naming {
  const named = new Map(sections);
  const byKey = namesInForce({ sections, inForce });
  const spare = [...sections].filter(([name, { key }]) => key === undefined && inForce.has(name)).map(([name]) => name);
  const names = new Map<string, string>();
  const unknown: string[] = [];
  let isChanged = false;
  for (const [key, section] of wish.sections) {
    const known = byKey.get(key) ?? (section.isPlain ? spare.shift() : undefined);
    const name = known ?? newName(section, named);
    if (known === undefined) unknown.push(section.backend.name);
    if (!byKey.has(key)) {
      named.set(name, namedAs(section));
      isChanged = true;
    }
    names.set(key, name);
  }
  return { names, sections: named, unknown, isChanged };
}

function namedAs({ key, backend, form }: WishedSection): NamedSection {
  const { serverWords, cookieSecret } = form;
  const secret = cookieSecret === undefined ? {} : { cookieSecret };
  const checks = checksOf(backend);
  return {
    ...{ key, backend: backend.name, serverWords, mode: backend.mode, ...secret },
    ...(checks === undefined ? {} : { checks }),
  };
}

function checksOf({ name, mode, options }: IngressBackend): string | undefined {
  const { healthCheck, protocol, serverName, caCertificate, sendsProxyProtocol } = options;
  if (healthCheck?.type === 'none') return undefined;
  const text = JSON.stringify([name, mode, healthCheck, protocol, serverName, caCertificate, sendsProxyProtocol]);
  return createHash('sha256').update(text).digest('hex').slice(0, 12);
}

/** Legible in logs and statistics, and no other section's. */
function newName({ key, backend }: WishedSection, named: ReadonlyMap<string, NamedSection>): string {
  const legible = backend.name.replace(/[^\w.:-]/g, '_').slice(0, 100);
  for (let round = 0; ; round++) {
    const hash = createHash('sha256').update(`${key} ${round}`).digest('hex').slice(0, 8);
    const name = `${legible}.${hash}`;
    if (!named.has(name)) return name;
  }
}

/** The next configuration: what is wished, and as many spare sections as there should be. */
export function nextRegistry(registry: Registry, naming: Naming, frame: string, spares: number): Registry {
  const sections = new Map(naming.sections);
  const inForce = new Set(naming.names.values());
  let { nextSpare } = registry;
  const free = [...sections].filter(([name, { key }]) => key === undefined && registry.inForce.has(name));
  for (const [name] of free.slice(0, spares)) inForce.add(name);
  for (let count = free.length; count < spares; count++) {
    const name = `spare-${nextSpare++}`;
    sections.set(name, { serverWords: [], mode: 'http' });
    inForce.add(name);
  }
  return { generation: registry.generation + 1, frame, sections, inForce, nextSpare };
}

/** No worker of an earlier configuration is left: forgets what stood in them alone. */
export function pruned(registry: Registry): Registry {
  const sections = [...registry.sections].filter(([name]) => registry.inForce.has(name));
  return sections.length === registry.sections.size ? registry : { ...registry, sections: new Map(sections) };
}

export function renderRegistry({ sections, inForce, ...rest }: Registry): string {
  return JSON.stringify({ ...rest, sections: [...sections], inForce: [...inForce] });
}

/** Undefined: it cannot be read, or was written by another version. */
export function parseRegistry(text: string): Registry | undefined {
  try {
    const read: unknown = JSON.parse(text);
    if (typeof read !== 'object' || read === null) return undefined;
    const { generation, frame, sections, inForce, nextSpare } = read as Record<string, unknown>;
    if (typeof generation !== 'number' || typeof frame !== 'string' || typeof nextSpare !== 'number') return undefined;
    if (!Array.isArray(sections) || !Array.isArray(inForce)) return undefined;
    const entries = sections as [string, NamedSection][];
    const isWhole = entries.every(([name, section]) => typeof name === 'string' && Array.isArray(section.serverWords));
    if (!isWhole) return undefined;
    return { generation, frame, nextSpare, sections: new Map(entries), inForce: new Set(inForce as string[]) };
  } catch {
    return undefined;
  }
}
