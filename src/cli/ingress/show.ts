import type { Command } from 'commander';
import { FlotillaError } from '../../lib/errors.ts';
import { optionPrefix } from '../../resources/ingress-options.ts';
import type { BackendReport, IngressReport } from '../../resources/ingress-report.ts';
import type { Ingress } from '../../resources/kinds.ts';
import { print, printObject, renderTable } from '../output.ts';
import { withSession } from '../session.ts';
import { type IngressRow, ingressRows, isSame } from './ingress-rows.ts';
import { readIngress } from './read-ingress.ts';

export async function show(host: string, flags: { readonly output?: string }, command: Command): Promise<void> {
  await withSession(command, async ({ client }) => {
    const facts = await readIngress(client);
    const rows = ingressRows(facts).filter((row) => row.host === host);
    if (rows.length === 0) {
      throw new FlotillaError('NotFound', `no Ingress object has host ${host}`, { hint: 'flotilla ingress ls' });
    }
    const keys = new Set(rows.map((row) => row.ingress));
    const objects = facts.ingresses.filter(({ metadata }) => keys.has(`${metadata.namespace}/${metadata.name}`));
    if (flags.output) return printObject(objects, flags.output);
    print(`host        ${host}`);
    print(`tls         ${rows[0]?.tls ?? '-'}`);
    print(`addresses   ${rows[0]?.addresses ?? '-'}`);
    for (const ingress of objects) for (const line of objectLines(ingress)) print(line);
    for (const { node, problem } of facts.reports) if (problem !== undefined) print(`problem     ${node}: ${problem}`);
    print('');
    print(
      renderTable(
        ['PATH', 'SERVICE', 'STATE'],
        rows.map((row) => [row.path, row.service, row.state]),
      ),
    );
    const instances = instanceRows(facts.reports, rows);
    if (instances.length === 0) return;
    print('');
    print(
      renderTable(['PROXY', 'BACKEND', 'INSTANCE', 'ADDRESS', 'STATE', 'SESSIONS', 'REQUESTS', 'REASON'], instances),
    );
  });
}

function objectLines({ metadata, status }: Ingress): string[] {
  const options = Object.entries(metadata.annotations ?? {}).flatMap(([name, value]) =>
    name.startsWith(optionPrefix) ? [`${name.slice(optionPrefix.length)}: ${value}`] : [],
  );
  return [
    `ingress     ${metadata.namespace}/${metadata.name}`,
    ...options.sort().map((text) => `option      ${text}`),
    ...(status?.conditions ?? []).map((one) => `condition   ${one.type}=${one.status} ${one.message}`),
  ];
}

function instanceRows(reports: readonly IngressReport[], rows: readonly IngressRow[]): string[][] {
  return reports.flatMap(({ node, proxy }) => {
    const names = new Set(
      proxy?.routes.filter((one) => rows.some((row) => row.ingress === one.ingress && isSame(one, row))).map(backendOf),
    );
    const backends: readonly BackendReport[] = proxy?.backends.filter(({ name }) => names.has(name)) ?? [];
    return backends.flatMap(({ name, endpoints }) =>
      endpoints.map((one) => [
        ...[node, name, one.pod ?? '-', one.address, one.state],
        ...[String(one.sessions), String(one.requests), one.why ?? ''],
      ]),
    );
  });
}

function backendOf({ backend }: { readonly backend: string }): string {
  return backend;
}
