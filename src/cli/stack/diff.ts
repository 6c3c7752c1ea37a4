import type { Command } from 'commander';
import { isApiError } from '../../client/api-error.ts';
import type { HttpClient } from '../../client/http-client.ts';
import { applyDefaults } from '../../resources/defaults.ts';
import { gridIngressOf } from '../../resources/grid-ingress.ts';
import { type Deployment, deployments, grids, type Pod, pods, type Stack, stacks } from '../../resources/kinds.ts';
import { annotations, labels, systemGrid } from '../../resources/names.ts';
import { rollbackRecordOf } from '../../resources/rollback-record.ts';
import { type CompiledStack, type CompileSettings, compileStack } from '../../stack/compile.ts';
import { describeDiff } from '../../stack/describe-diff.ts';
import { diffStacks } from '../../stack/diff.ts';
import { objectName } from '../../stack/object-names.ts';
import { print } from '../output.ts';
import { withSession } from '../session.ts';
import { readStackFile, type StackFileFlags } from './read-stack-file.ts';

/** Something would change: neither a failure (1) nor wrong usage (2). */
const differs = 3;

export async function diff(flags: StackFileFlags, command: Command): Promise<void> {
  const wanted = readStackFile(flags);
  await withSession(command, async ({ client }) => {
    if (await printDiff(client, wanted)) process.exitCode = differs;
  });
}

/** What a deploy of it would change. True: something. */
export async function printDiff(client: HttpClient, wanted: Stack): Promise<boolean> {
  const { namespace, name } = wanted.metadata;
  const before = await client.get(stacks, { namespace, name }).catch((error) => {
    if (isApiError(error, 'NotFound')) return undefined;
    throw error;
  });
  const labelSelector = `${labels.stack}=${name}`;
  const [running, made] = before
    ? await Promise.all([
        client.list(pods, { namespace, labelSelector }),
        client.list(deployments, { namespace, labelSelector }),
      ])
    : [{ items: [] }, { items: [] }];
  const settings = await compileSettings(client);
  const after = compileStack(applyDefaults(stacks, structuredClone(wanted)), settings);
  const changes = diffStacks(before && compileStack(before, settings), after);
  const lines = [
    ...describeDiff(changes, (service) => instancesOf(running.items, service)),
    ...takenBack(after, made.items).map((service) => `! ${stillTakenBack(name, service)}`),
  ];
  print(
    changes.length === 0 ? `${name}: nothing would change` : `${name}: ${before ? 'would change' : 'would be made'}`,
  );
  for (const line of lines) print(line);
  return changes.length > 0;
}

/** As the stack controller has them. Who may not read them sees no automatic names. */
async function compileSettings(client: HttpClient): Promise<CompileSettings> {
  try {
    const grid = await client.forGrid(systemGrid).get(grids, { name: client.grid });
    const { baseDomain } = gridIngressOf(grid.spec?.ingress);
    return baseDomain === undefined ? {} : { baseDomain };
  } catch (error) {
    if (isApiError(error, 'Forbidden') || isApiError(error, 'NotFound')) return {};
    throw error;
  }
}

function instancesOf(all: readonly Pod[], service: string): string[] {
  return all
    .filter((pod) => pod.metadata.labels?.[labels.service] === objectName(service) && !pod.metadata.deletionTimestamp)
    .map((pod) => pod.metadata.name)
    .sort();
}

/** Services whose very version was taken back: deploying it again does not try it again. */
function takenBack(after: CompiledStack, made: readonly Deployment[]): string[] {
  return after.workloads.flatMap(({ service, object }) => {
    const record = made.filter((one) => one.metadata.name === object.metadata.name).map(rollbackRecordOf)[0];
    const hash = object.metadata.annotations?.[annotations.templateHash];
    return record?.templateHash !== undefined && record.templateHash === hash ? [service] : [];
  });
}

function stillTakenBack(stack: string, service: string): string {
  return `${service} stays at its earlier version: this one was taken back; try it again: flotilla service deploy ${stack}/${service}`;
}
