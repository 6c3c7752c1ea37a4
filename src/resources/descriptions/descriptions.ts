// What `kubectl explain` says where the tables themselves do not: apart from them, since only servers need it.
import type { Field, Message } from '../schema.ts';
import { clusterDescriptions } from './cluster.ts';
import { metadataDescriptions } from './metadata.ts';
import { podDescriptions } from './pod.ts';
import { stackDescriptions } from './stack.ts';
import { workloadDescriptions } from './workload.ts';

/** Keys are `Message`, `Message.field`, or `*.field` for fields that mean the same everywhere. */
export type Descriptions = Readonly<Record<string, string>>;

const all: ReadonlyMap<string, string> = new Map(
  [metadataDescriptions, podDescriptions, workloadDescriptions, clusterDescriptions, stackDescriptions].flatMap((one) =>
    Object.entries(one),
  ),
);

/** '' when nobody wrote one. */
export function describeMessage(message: Message): string {
  return message.options.description ?? all.get(message.name) ?? '';
}

/** '' when nobody wrote one. */
export function describeField(message: Message, one: Field): string {
  return one.description ?? all.get(`${message.name}.${one.name}`) ?? all.get(`*.${one.name}`) ?? '';
}
