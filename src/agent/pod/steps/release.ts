import type { StepRunner } from '../pod-services.ts';

/** Only after its containers are gone: until then the address is in use. */
export const runRelease: StepRunner<'release'> = async (_step, { record, network, files, saveState }) => {
  await files.remove(record.uid);
  record.hasFiles = false;
  if (network.pool?.free(record.uid)) await saveState();
  record.address = undefined;
  return 'continue';
};
