import type { Deployment } from '../../resources/kinds.ts';
import { annotations, deploymentConditions } from '../../resources/names.ts';
import { rollbackRecordOf, rollbackText } from '../../resources/rollback-record.ts';
import { updateRulesOf } from '../../resources/update-rules.ts';
import { timedOutReason } from '../deployment/progress.ts';
import type { Trouble } from '../pod-trouble.ts';
import type { ServiceSources } from './observe-services.ts';

/** Why a service is not what the file says, though its instances are well. */
export interface DeploymentTrouble extends Trouble {
  /** Over once all instances are of the newest version. */
  readonly isMeanwhile: boolean;
}

/** `RolledBack`, `Aborted`, `Paused`, `OutsideWindow`, `PauseBetweenBatches`, `DeadlineExceeded`; of bare pods none. */
export function deploymentTrouble(
  { compiled, deployment }: Pick<ServiceSources, 'compiled' | 'deployment'>,
  service: string,
): DeploymentTrouble | undefined {
  const wanted = compiled.workloads.find((one) => one.service === service);
  if (wanted?.kind.kind !== 'Deployment') return undefined;
  const observed = deployment(wanted.object.metadata.name);
  const templateHash = wanted.object.metadata.annotations?.[annotations.templateHash];
  // An older wish's trouble says nothing about this one.
  if (!observed || observed.metadata.annotations?.[annotations.templateHash] !== templateHash) return undefined;
  const record = rollbackRecordOf(observed);
  if (record?.templateHash === templateHash && record !== undefined) {
    const reason = record.by === 'abort' ? 'Aborted' : 'RolledBack';
    return { reason, message: rollbackText(record), isStuck: true, isMeanwhile: false };
  }
  if (observed.spec.paused)
    return { reason: 'Paused', message: 'its update is paused', isStuck: true, isMeanwhile: true };
  return (observed.status?.observedGeneration ?? 0) < (observed.metadata.generation ?? 0)
    ? undefined
    : (heldOf(observed) ?? stuckOf(observed));
}

/** A first revision has nothing to go back to. A later one is about to be taken back when it is late: that says the record. */
function stuckOf({ metadata, status }: Deployment): DeploymentTrouble | undefined {
  const isLate = status?.conditions?.some(({ type, reason }) => type === 'Progressing' && reason === timedOutReason);
  const isFirst = metadata.annotations?.[annotations.deploymentRevision] === '1';
  if (!isLate || !isFirst || !updateRulesOf(metadata.annotations).autoRollback) return undefined;
  const message = 'not healthy within its deadline, and there is no earlier version to go back to';
  return { reason: 'DeadlineExceeded', message, isStuck: true, isMeanwhile: false };
}

function heldOf({ status }: Deployment): DeploymentTrouble | undefined {
  const held = status?.conditions?.find((one) => one.type === deploymentConditions.updateHeld);
  if (!held) return undefined;
  return { reason: held.reason ?? '', message: held.message ?? '', isStuck: false, isMeanwhile: true };
}
