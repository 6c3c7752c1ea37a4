import type { Command } from 'commander';
import { ingressFlags } from '../resources/grid-ingress-flags.ts';
import { type NetworkFlag, networkFlags } from '../resources/grid-network-flags.ts';
import { collect } from './collect.ts';

/** The options that choose the network of a new cluster; `readNetworkFlags` reads what they gave. */
export function addNetworkOptions(command: Command): Command {
  for (const one of networkFlags) {
    const fallback = one.fallback === undefined ? '' : ` (default: ${one.fallback})`;
    addOption(command, one, `in a new cluster: ${one.description}${fallback}`);
  }
  return command;
}

/** Those that change the network of a grid that is there. */
export function addNetworkSettings(command: Command, fields: readonly NetworkFlag['field'][]): Command {
  for (const one of networkFlags) {
    if (fields.includes(one.field)) addOption(command, one, one.description + (one.isRepeatable ? '; or none' : ''));
  }
  return command;
}

/** The options that choose how a new cluster lets the world in; `readIngressFlags` reads what they gave. */
export function addIngressOptions(command: Command): Command {
  for (const { usage, description, fallback, form } of ingressFlags) {
    const ends = fallback === undefined ? '' : ` (default: ${fallback})`;
    addOption(command, { usage, isRepeatable: form === 'list' }, `in a new cluster: ${description}${ends}`);
  }
  return command;
}

/** Those that change it in a grid that is there. */
export function addIngressSettings(command: Command): Command {
  for (const { usage, description, form } of ingressFlags) {
    const ends = form === 'text' || form === 'list' ? '; or none' : '';
    addOption(command, { usage, isRepeatable: form === 'list' }, description + ends);
  }
  return command;
}

function addOption(
  command: Command,
  { usage, isRepeatable }: Pick<NetworkFlag, 'usage' | 'isRepeatable'>,
  description: string,
): void {
  if (isRepeatable) command.option(usage, description, collect);
  else command.option(usage, description);
}
