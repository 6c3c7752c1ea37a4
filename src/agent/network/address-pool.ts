import { FlotillaError } from '../../lib/errors.ts';

/** As it stands on disk. */
export interface AddressPoolState {
  /** Offset from the range's first address at which the search for the next free one begins. */
  next: number;
  /** Pod uid → address. */
  byPod: Record<string, string>;
  /** Freed, and not to be given again before all nodes have forgotten them. */
  resting?: string[];
}

/** .0 is the network, .1 the gateway. */
const firstOffset = 2;

/**
 * Gives each pod of a node its address, going round: a freed address comes back last, so that nobody who still remembers
 * it reaches another pod. Changes `state` in place; the caller puts it on disk before an address is used.
 */
export class AddressPool {
  readonly #state: AddressPoolState;
  readonly #base: number;
  readonly #size: number;
  readonly #cidr: string;

  /** `cidr`: IPv4, `10.80.3.0/24`. Assignments outside of it are dropped: the node got another range. */
  constructor(cidr: string, state: AddressPoolState) {
    const { base, size } = parseRange(cidr);
    this.#cidr = cidr;
    this.#base = base;
    this.#size = size;
    this.#state = state;
    for (const [pod, address] of Object.entries(state.byPod)) if (!this.has(address)) delete state.byPod[pod];
    state.resting = (state.resting ?? []).filter((address) => this.has(address));
  }

  get gateway(): string {
    return formatAddress(this.#base + 1);
  }

  has(address: string): boolean {
    const offset = parseAddress(address) - this.#base;
    return offset >= firstOffset && offset < this.#size - 1;
  }

  of(pod: string): string | undefined {
    return this.#state.byPod[pod];
  }

  /** The same address for the same pod. Throws Unavailable (retryable) when all are in use. */
  assign(pod: string): string {
    const known = this.#state.byPod[pod];
    if (known !== undefined) return known;
    const resting = this.resting;
    const used = new Set([...Object.values(this.#state.byPod), ...resting]);
    const usable = this.#size - 1 - firstOffset;
    const start = this.#state.next >= firstOffset && this.#state.next < this.#size - 1 ? this.#state.next : firstOffset;
    for (let step = 0; step < usable; step++) {
      const offset = firstOffset + ((start - firstOffset + step) % usable);
      const address = formatAddress(this.#base + offset);
      if (used.has(address)) continue;
      this.#state.byPod[pod] = address;
      this.#state.next = offset + 1;
      return address;
    }
    const rest =
      resting.length === 0 ? '' : `; ${resting.length} of them until every node has forgotten their last pod`;
    throw new FlotillaError('Unavailable', `all ${usable} addresses of ${this.#cidr} are in use${rest}`, {
      retryable: true,
    });
  }

  /** Notes an address that a running container has already. False when another pod holds it. */
  reserve(pod: string, address: string): boolean {
    const holder = Object.entries(this.#state.byPod).find(([, one]) => one === address)?.[0];
    if (holder !== undefined && holder !== pod) return false;
    if (!this.has(address)) return true;
    this.#state.byPod[pod] = address;
    this.wake([address]);
    return true;
  }

  /** Its address rests until `wake`. */
  free(pod: string): void {
    const address = this.#state.byPod[pod];
    if (address === undefined) return;
    delete this.#state.byPod[pod];
    this.#state.resting = [...this.resting, address];
  }

  /** Takes back an assignment that nobody has used. */
  cancel(pod: string): void {
    delete this.#state.byPod[pod];
  }

  get resting(): readonly string[] {
    return this.#state.resting ?? [];
  }

  /** Nobody remembers these: they may be given again. */
  wake(addresses: readonly string[]): void {
    if (addresses.length > 0) this.#state.resting = this.resting.filter((one) => !addresses.includes(one));
  }
}

export function parseRange(cidr: string): { readonly base: number; readonly size: number } {
  const [address = '', bits] = cidr.split('/');
  const base = parseAddress(address);
  const length = Number(bits);
  if (Number.isNaN(base) || !Number.isInteger(length) || length < 8 || length > 29) {
    throw new FlotillaError('Invalid', `"${cidr}" is no usable IPv4 range`);
  }
  return { base, size: 2 ** (32 - length) };
}

/** NaN when it is none. */
export function parseAddress(text: string): number {
  const parts = text.split('.');
  if (parts.length !== 4) return Number.NaN;
  return parts.reduce(
    (total, part) => (/^\d{1,3}$/.test(part) && Number(part) < 256 ? total * 256 + Number(part) : Number.NaN),
    0,
  );
}

function formatAddress(value: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join('.');
}
