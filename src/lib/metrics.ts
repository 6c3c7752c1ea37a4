export type Labels = Readonly<Record<string, string>>;

export interface Counter {
  add(labels?: Labels, by?: number): void;
}
export interface Gauge {
  set(value: number, labels?: Labels): void;
  /** What it was about is gone. */
  remove(labels?: Labels): void;
}
export interface Histogram {
  /** Seconds, as Prometheus' conventions ask. */
  observe(seconds: number, labels?: Labels): void;
}

/** Upper bounds in seconds: half a millisecond to ten seconds. */
export const latencyBucketsSeconds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  render(): string[];
}

/** A registry of metrics and its text form (Prometheus exposition format 0.0.4). Names start with `flotilla_`. */
export class Metrics {
  readonly #families = new Map<string, Family>();

  counter(name: string, help: string): Counter {
    const values = new Map<string, number>();
    this.#register({ name, help, type: 'counter', render: () => lines(name, values) });
    return { add: (labels = {}, by = 1) => bump(values, labelText(labels), by) };
  }

  /** `read`, when given, is asked at each scrape instead of `set` being called. */
  gauge(name: string, help: string, read?: () => number): Gauge {
    const values = new Map<string, number>();
    const render = () => {
      if (read) values.set('', read());
      return lines(name, values);
    };
    this.#register({ name, help, type: 'gauge', render });
    return {
      set: (value, labels = {}) => void values.set(labelText(labels), value),
      remove: (labels = {}) => void values.delete(labelText(labels)),
    };
  }

  histogram(name: string, help: string, bucketsSeconds: readonly number[] = latencyBucketsSeconds): Histogram {
    const series = new Map<string, { labels: Labels; counts: number[]; sum: number; count: number }>();
    const render = () => [...series.values()].flatMap((one) => histogramLines(name, bucketsSeconds, one));
    this.#register({ name, help, type: 'histogram', render });
    return {
      observe: (seconds, labels = {}) => {
        const key = labelText(labels);
        let one = series.get(key);
        if (!one) {
          one = { labels, counts: bucketsSeconds.map(() => 0), sum: 0, count: 0 };
          series.set(key, one);
        }
        const bucket = bucketsSeconds.findIndex((bound) => seconds <= bound);
        if (bucket >= 0) one.counts[bucket] = (one.counts[bucket] ?? 0) + 1;
        one.sum += seconds;
        one.count += 1;
      },
    };
  }

  render(): string {
    const out: string[] = [];
    for (const family of this.#families.values()) {
      out.push(`# HELP ${family.name} ${family.help}`, `# TYPE ${family.name} ${family.type}`, ...family.render());
    }
    return `${out.join('\n')}\n`;
  }

  #register(family: Family): void {
    if (this.#families.has(family.name)) throw new Error(`metric ${family.name} is registered twice`);
    this.#families.set(family.name, family);
  }
}

function bump(values: Map<string, number>, key: string, by: number): void {
  values.set(key, (values.get(key) ?? 0) + by);
}

function lines(name: string, values: Map<string, number>): string[] {
  return [...values].map(([labels, value]) => `${name}${labels} ${value}`);
}

function histogramLines(
  name: string,
  bounds: readonly number[],
  one: { labels: Labels; counts: number[]; sum: number; count: number },
): string[] {
  let total = 0;
  const buckets = bounds.map((bound, index) => {
    total += one.counts[index] ?? 0;
    return `${name}_bucket${labelText({ ...one.labels, le: String(bound) })} ${total}`;
  });
  const labels = labelText(one.labels);
  return [
    ...buckets,
    `${name}_bucket${labelText({ ...one.labels, le: '+Inf' })} ${one.count}`,
    `${name}_sum${labels} ${one.sum}`,
    `${name}_count${labels} ${one.count}`,
  ];
}

function labelText(labels: Labels): string {
  const parts = Object.entries(labels).map(([key, value]) => `${key}="${value.replace(/[\\"\n]/g, escapeLabel)}"`);
  return parts.length === 0 ? '' : `{${parts.join(',')}}`;
}

function escapeLabel(character: string): string {
  return character === '\n' ? '\\n' : `\\${character}`;
}
