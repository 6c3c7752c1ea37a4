import type { StepRunner } from '../pod-services.ts';

/** Only after its containers are gone: until then the address is in use. */
export const runRelease: StepRunner<'release'> = async (_step, { record, network, files, saveState }) => {
  for (const member of record.members()) member.giveUpPull();
  await files.remove(record.uid);
  record.hasFiles = false;
  network.pool?.free(record.uid);
  // Also when it was freed before and could not be written then.
  if (record.address !== undefined) await saveState();
  record.address = undefined;
  return 'continue';
};
