// The tables of docs/performance.md, "Lossless", from what a run left.   node bench/lossless/render-table.ts [bench/results/lossless.json]
import { readFileSync } from 'node:fs';
import type { FaultResult } from './measure.ts';
import type { LosslessSummary } from './summary.ts';

export interface MeasuredWorld {
  readonly planned?: LosslessSummary;
  readonly faults?: Readonly<Record<string, FaultResult>>;
  readonly notMeasured?: string;
}

export interface LosslessReport {
  readonly flotilla?: MeasuredWorld;
  readonly swarm?: MeasuredWorld;
  readonly swarmWithGoodbye?: MeasuredWorld;
}

const worlds = [
  ['flotilla', 'Flotilla'],
  ['swarm', 'Swarm'],
  ['swarmWithGoodbye', 'Swarm, and an application that says goodbye for 5 s'],
] as const;

export function renderTable(report: LosslessReport): string {
  const all = worlds.flatMap(([key, name]) => (report[key]?.planned ? [{ name, planned: report[key].planned }] : []));
  const phases = [...new Set(all.flatMap(({ planned }) => Object.keys(planned.phases)))].filter(
    (one) => one !== 'start',
  );
  const cell = (planned: LosslessSummary, phase: string) => {
    const found = planned.phases[phase];
    if (!found) return '';
    const rounds = found.rounds === undefined ? '' : `${found.rounds} in ${found.seconds} s: `;
    return `${rounds}${lost(found)} of ${thousands(found.requests)}; p99 ${Math.round(found.p99Ms)} ms`;
  };
  const rows = [
    ['while', ...all.map(({ name }) => name)],
    ['---', ...all.map(() => '---')],
    ...phases.map((phase) => [phase, ...all.map(({ planned }) => cell(planned, phase))]),
    ['**all: failed**', ...all.map(({ planned }) => `**${lost(planned)} of ${thousands(planned.requests)}**`)],
    [
      'answered and not in the application’s log; in it twice',
      ...all.map(({ planned: { log } }) => `${log.answeredNotLogged}; ${log.loggedTwice}`),
    ],
    [
      'WebSockets: echoes; ended with a close frame; without one',
      ...all.map(({ planned: { webSockets: w } }) => `${thousands(w.echoes)}; ${w.told}; ${w.cut}`),
    ],
    ['the client’s own lateness, p99', ...all.map(({ planned }) => `${planned.lateness.p99Ms} ms`)],
  ];
  const faults = Object.entries(report.flotilla?.faults ?? {}).map(([name, fault]) => [
    name,
    `${fault.secondsOfErrors} s`,
    `${fault.failed} of ${thousands(fault.requests)}`,
    `${Math.round(fault.maxMs)} ms`,
    String(fault.log.loggedTwice),
  ]);
  const head = [
    ['what nobody planned', 'errors seen for', 'failed', 'slowest answer', 'done twice'],
    ['---', '---', '---', '---', '---'],
  ];
  return [rows, ...(faults.length > 0 ? [[...head, ...faults]] : [])].map(toMarkdown).join('\n');
}

function lost({ failed, refused }: { readonly failed: number; readonly refused: number }): string {
  return refused === 0 ? String(failed) : `${failed} (and ${refused} refused)`;
}

function thousands(count: number): string {
  return count.toLocaleString('en');
}

function toMarkdown(rows: readonly (readonly string[])[]): string {
  return `${rows.map((row) => `| ${row.join(' | ')} |`).join('\n')}\n`;
}

if (import.meta.main) {
  const file = process.argv[2] ?? 'bench/results/lossless.json';
  console.log(renderTable(JSON.parse(readFileSync(file, 'utf8')) as LosslessReport));
}
