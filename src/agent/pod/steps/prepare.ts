import type { MountSpec } from '../../../adapters/runtime/port.ts';
import { messageOf } from '../../../lib/errors.ts';
import type { Pod } from '../../../resources/kinds.ts';
import { annotations } from '../../../resources/names.ts';
import { podContainer } from '../../../resources/pod-containers.ts';
import { renderResolvConf } from '../../network/resolv-conf.ts';
import { randomPortProblems } from '../container-spec.ts';
import { type PodReferences, renderEnvironment } from '../environment.ts';
import { hasPause, pauseName } from '../pause.ts';
import { podOf, type StepContext, type StepRunner } from '../pod-services.ts';
import { flotillaVariables, serviceVariables } from '../service-variables.ts';
import { planVolumes } from '../volume-plan.ts';

/** Reads what the pod refers to, and makes files and volumes of it. What is missing is looked for again, later. */
export const runPrepare: StepRunner<'prepare'> = async ({ container: name }, context) => {
  const { record, files, runtime } = context;
  const pod = podOf(context);
  const container = podContainer(pod, name)?.container;
  if (!container) return name === pauseName ? preparePause(context) : 'stop';
  let references: PodReferences;
  try {
    references = await context.references.read(pod);
  } catch (error) {
    return fail(context, name, messageOf(error));
  }
  const podAddresses = record.address === undefined ? context.hostAddresses() : [record.address];
  const apiServer = context.apiServer?.();
  const server = apiServer === undefined ? {} : { apiServer };
  const services = context.services ?? (() => []);
  const variables = [...flotillaVariables(pod, context.grid), ...serviceVariables(pod, services)];
  const facts = { podAddresses, hostAddresses: context.hostAddresses(), variables, ...server };
  const environment = renderEnvironment(pod, container, references, facts);
  const volumes = planVolumes(pod, [container], context.grid, files.directories(record.uid), references);
  const ports = hasPause(pod) ? [] : portProblems(pod);
  const problems = [...environment.problems, ...volumes.problems, ...ports];
  if (problems.length > 0) return fail(context, name, problems.join('; '));
  record.hasFiles = true;
  try {
    await files.apply(record.uid, volumes.volumes);
    for (const volume of volumes.volumes) {
      if (volume.type === 'volume') await runtime.ensureVolume(volume.name, volume.labels);
    }
  } catch (error) {
    return fail(context, name, messageOf(error));
  }
  record.member(name).prepared = { environment, mounts: [...volumes.mounts, ...(await resolverMount(context))] };
  return 'continue';
};

/** It mounts nothing; but what its ports are to be must be readable. */
function preparePause(context: StepContext): 'continue' | 'stop' {
  const problems = portProblems(podOf(context));
  return problems.length === 0 ? 'continue' : fail(context, pauseName, problems.join('; '));
}

function portProblems(pod: Pod): readonly string[] {
  return randomPortProblems(pod.metadata.annotations?.[annotations.randomHostPorts]);
}

async function resolverMount(context: StepContext): Promise<MountSpec[]> {
  const { record, network, domain } = context;
  // In the host's network the engine mounts the host's own file.
  if (record.address === undefined || !network.pool) return [];
  const namespace = podOf(context).metadata.namespace ?? 'default';
  const text = renderResolvConf({ nameserver: network.pool.gateway, namespace, domain });
  const source = await context.files.write(record.uid, 'resolv.conf', text);
  return [{ type: 'bind', source, target: '/etc/resolv.conf', readOnly: true }];
}

function fail(context: StepContext, name: string, message: string): 'stop' {
  const { record, clock, events } = context;
  record.member(name).fail({ reason: 'CreateContainerConfigError', message }, clock.monotonicMs());
  events.record(podOf(context), 'Warning', 'Failed', `Error: ${message}`);
  return 'stop';
}
