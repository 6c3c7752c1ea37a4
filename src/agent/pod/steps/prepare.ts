import type { MountSpec } from '../../../adapters/runtime/port.ts';
import { messageOf } from '../../../lib/errors.ts';
import { annotations } from '../../../resources/names.ts';
import { renderResolvConf } from '../../network/resolv-conf.ts';
import { randomPortProblems } from '../container-spec.ts';
import { type PodReferences, renderEnvironment } from '../environment.ts';
import { podOf, type StepContext, type StepRunner } from '../pod-services.ts';
import { planVolumes } from '../volume-plan.ts';

/** Reads what the pod refers to, and makes files and volumes of it. What is missing is looked for again, later. */
export const runPrepare: StepRunner<'prepare'> = async (_step, context) => {
  const { record, files, runtime } = context;
  const pod = podOf(context);
  let references: PodReferences;
  try {
    references = await context.references.read(pod);
  } catch (error) {
    return fail(context, messageOf(error));
  }
  const podAddresses = record.address === undefined ? context.hostAddresses() : [record.address];
  const apiServer = context.apiServer?.();
  const server = apiServer === undefined ? {} : { apiServer };
  const facts = { podAddresses, hostAddresses: context.hostAddresses(), ...server };
  const environment = renderEnvironment(pod, references, facts);
  const volumes = planVolumes(pod, context.grid, files.directories(record.uid), references);
  const ports = randomPortProblems(pod.metadata.annotations?.[annotations.randomHostPorts]);
  const problems = [...environment.problems, ...volumes.problems, ...ports];
  if (problems.length > 0) return fail(context, problems.join('; '));
  record.hasFiles = true;
  try {
    await files.apply(record.uid, volumes.volumes);
    for (const volume of volumes.volumes) {
      if (volume.type === 'volume') await runtime.ensureVolume(volume.name, volume.labels);
    }
  } catch (error) {
    return fail(context, messageOf(error));
  }
  record.prepared = { environment, mounts: [...volumes.mounts, ...(await resolverMount(context))] };
  return 'continue';
};

async function resolverMount(context: StepContext): Promise<MountSpec[]> {
  const { record, network, domain } = context;
  // In the host's network the engine mounts the host's own file.
  if (record.address === undefined || !network.pool) return [];
  const namespace = podOf(context).metadata.namespace ?? 'default';
  const text = renderResolvConf({ nameserver: network.pool.gateway, namespace, domain });
  const source = await context.files.write(record.uid, 'resolv.conf', text);
  return [{ type: 'bind', source, target: '/etc/resolv.conf', readOnly: true }];
}

function fail(context: StepContext, message: string): 'stop' {
  const { record, clock, events } = context;
  record.fail({ reason: 'CreateContainerConfigError', message }, clock.monotonicMs());
  events.record(podOf(context), 'Warning', 'Failed', `Error: ${message}`);
  return 'stop';
}
