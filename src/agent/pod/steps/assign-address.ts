import type { StepRunner } from '../pod-services.ts';

/** On disk before it is used: two pods must not get one address, whatever crashes in between. */
export const runAssignAddress: StepRunner<'assign-address'> = async (_step, { record, network, saveState }) => {
  const { pool } = network;
  if (!pool) return 'stop';
  const isNew = pool.of(record.uid) === undefined;
  const address = pool.assign(record.uid);
  try {
    if (isNew) await saveState();
  } catch (error) {
    pool.cancel(record.uid); // the next try must not take it for saved
    throw error;
  }
  record.address = address;
  return 'continue';
};
