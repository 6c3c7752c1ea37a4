import type { Command } from 'commander';
import type { HttpClient } from '../../client/http-client.ts';
import { FlotillaError } from '../../lib/errors.ts';
import { type Stack, stacks } from '../../resources/kinds.ts';
import type { StackSpec } from '../../resources/stack-types.ts';
import { type StackVersion, specOfVersion } from '../../resources/stack-version.ts';
import { parseDurationMs } from '../durations.ts';
import { print } from '../output.ts';
import { withSession } from '../session.ts';
import { chooseVersion, describeVersion } from './choose-version.ts';
import { printDiff } from './diff.ts';
import { findStack } from './find-stack.ts';
import { versionsOf } from './history.ts';
import { defaultTimeoutMs, waitForStack } from './wait-for-stack.ts';
import { writeStack } from './write-stack.ts';

export interface RollbackFlags {
  readonly to?: string;
  readonly dryRun?: boolean;
  readonly wait: boolean;
  readonly timeout?: string;
}

/** A stack, or one service of it (`shop/web`), as an earlier version said it. */
export async function rollback(target: string | undefined, flags: RollbackFlags, command: Command): Promise<void> {
  const asked = flags.timeout === undefined ? undefined : parseDurationMs(flags.timeout, '--timeout');
  await withSession(command, async ({ client }) => {
    const { stack, service } = await findTarget(client, target);
    const { namespace = '', name } = stack.metadata;
    const version = chooseVersion(name, await versionsOf(client, stack), flags.to);
    const spec = service === undefined ? specOfVersion(version, stack.spec) : withService(stack, service, version);
    const what = service === undefined ? name : `${name}/${service}`;
    const to = `version ${describeVersion(version)}`;
    if (flags.dryRun) return void (await printDiff(client, { ...stack, spec }));
    const cause = `${service === undefined ? '' : `${service} `}back to version ${version.number}`;
    const isOther = await writeStack(client, stack, { spec, cause });
    print(isOther ? `${what} goes back to ${to}` : `${what} is what ${to} says`);
    if (flags.wait) await waitForStack({ client, namespace, name, timeoutMs: asked ?? defaultTimeoutMs(spec) });
  });
}

interface Target {
  readonly stack: Stack;
  readonly service?: string;
}

/** `shop` or `shop/web`; a stack goes before a service of its name; without a target the only stack that there is. */
async function findTarget(client: HttpClient, target: string | undefined): Promise<Target> {
  const all = (await client.list(stacks)).items;
  if (target === undefined) {
    const [only, ...more] = all;
    if (only && more.length === 0) return { stack: only };
    const names = all.map((one) => one.metadata.name).join(', ');
    throw new FlotillaError('BadUsage', 'say which stack, or which service of it', {
      hint: all.length === 0 ? 'there are no stacks' : `there are: ${names}`,
    });
  }
  const [first = '', second] = target.split('/', 2);
  const ofFirst = all.filter((one) => one.metadata.name === first);
  const [stack] = ofFirst;
  if (second !== undefined && stack && ofFirst.length === 1 && Object.hasOwn(stack.spec.services, second)) {
    return { stack, service: second };
  }
  if (second === undefined && !stack) {
    const holders = all.filter((one) => Object.hasOwn(one.spec.services, first));
    const [holder] = holders;
    if (holder && holders.length === 1) return { stack: holder, service: first };
  }
  return { stack: await findStack(client, target) };
}

/** The one service as it was, with what it mounts where the stack has none of that name any more. */
function withService({ metadata, spec }: Stack, service: string, version: StackVersion): StackSpec {
  const was = specOfVersion(version, spec);
  const one = was.services[service];
  if (!one) {
    const message = `version ${describeVersion(version)} of stack ${metadata.name} has no service "${service}"`;
    throw new FlotillaError('NotFound', message, { hint: `it has: ${Object.keys(was.services).join(', ')}` });
  }
  const mounted = (type: 'volume' | 'secret' | 'config') =>
    new Set(one.mounts?.flatMap((mount) => (mount.type === type ? [mount.source] : [])));
  const withMissing = <T>(names: ReadonlySet<string>, old: Record<string, T> = {}, now: Record<string, T> = {}) => {
    const missing = Object.entries(old).filter(([name]) => names.has(name) && !Object.hasOwn(now, name));
    return missing.length > 0 ? { ...Object.fromEntries(missing), ...now } : undefined;
  };
  const volumes = withMissing(mounted('volume'), was.volumes, spec.volumes);
  const secrets = withMissing(mounted('secret'), was.secrets, spec.secrets);
  const configs = withMissing(mounted('config'), was.configs, spec.configs);
  return {
    ...spec,
    services: { ...spec.services, [service]: one },
    ...(volumes ? { volumes } : {}),
    ...(secrets ? { secrets } : {}),
    ...(configs ? { configs } : {}),
  };
}
