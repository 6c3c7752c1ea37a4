/** Amounts of things as Kubernetes writes them: `500m`, `1.5`, `64Mi`, `2G`, `1e3`. */

export const quantityPattern = '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$';

const shape = /^([+-]?(?:\d+\.?\d*|\.\d+))(?:([KMGTPE]i|[numkMGTPE])|[eE]([+-]?\d+))?$/;

const factors: Readonly<Record<string, number>> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
};

export function isQuantity(text: string): boolean {
  return shape.test(text);
}

/** The plain number a quantity stands for; NaN when it is none. `1e3` and `1E` (exa) are told apart. */
export function parseQuantity(quantity: string | number): number {
  if (typeof quantity === 'number') return quantity;
  const match = shape.exec(quantity);
  if (!match) return Number.NaN;
  const [, digits = '', suffix, exponent] = match;
  if (exponent !== undefined) return Number(`${digits}e${exponent}`);
  return suffix === undefined ? Number(digits) : scale(Number(digits), suffix);
}

/** Thousandths of a core, rounded up; absent: 0. */
export function cpuMillisOf(quantity: string | number | undefined): number {
  if (quantity === undefined) return 0;
  return Math.ceil(roundNoise(parseQuantity(quantity) * 1000));
}

/** Bytes, rounded up; absent: 0. */
export function memoryBytesOf(quantity: string | number | undefined): number {
  return quantity === undefined ? 0 : Math.ceil(roundNoise(parseQuantity(quantity)));
}

/** `1500m`, `2`: the shortest form. */
export function formatCpuMillis(millis: number): string {
  return millis % 1000 === 0 ? String(millis / 1000) : `${millis}m`;
}

/** `64Mi`, `1Gi`, `1000`: exact, with the largest binary suffix that divides it. */
export function formatMemoryBytes(bytes: number): string {
  for (const [suffix, factor] of [
    ['Gi', 2 ** 30],
    ['Mi', 2 ** 20],
    ['Ki', 2 ** 10],
  ] as const) {
    if (bytes !== 0 && bytes % factor === 0) return `${bytes / factor}${suffix}`;
  }
  return String(bytes);
}

// Division is exact where multiplication by 1e-3 is not: 100m is 0.1, not 0.10000000000000001.
function scale(value: number, suffix: string): number {
  const factor = factors[suffix] ?? 1;
  return factor < 1 ? value / Math.round(1 / factor) : value * factor;
}

/** Takes away the error of binary fractions before rounding up: 0.1 * 1000 × … must not become 101. */
function roundNoise(value: number): number {
  const nearest = Math.round(value);
  return Math.abs(value - nearest) < 1e-6 ? nearest : value;
}
