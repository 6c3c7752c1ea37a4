import type { Volume } from '../../resources/kinds.ts';
import { finalizers } from '../../resources/names.ts';

export type VolumeStep = { readonly type: 'release'; readonly why: string };

/**
 * The agent of a volume's node removes its data and then lets the object go. Where there is no such agent nobody would: a
 * volume that was never placed has no data, and what a node that was removed still has on its disk is out of reach.
 */
export function planVolume(volume: Volume, hasNode: (name: string) => boolean): VolumeStep[] {
  const { deletionTimestamp, finalizers: held = [] } = volume.metadata;
  if (!deletionTimestamp || !held.includes(finalizers.volumeData)) return [];
  const { nodeName } = volume.spec;
  if (!nodeName) return [{ type: 'release', why: 'it was never placed' }];
  return hasNode(nodeName) ? [] : [{ type: 'release', why: `its node ${nodeName} no longer exists` }];
}
