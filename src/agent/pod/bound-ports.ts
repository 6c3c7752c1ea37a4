import type { BoundPort } from '../../adapters/runtime/port.ts';

/** The annotation that agents write: random host ports stay the same over a reboot. What is not readable is forgotten. */
export function parseBoundPorts(text: string | undefined): readonly BoundPort[] {
  if (text === undefined) return [];
  try {
    const parsed: unknown = JSON.parse(text);
    return Array.isArray(parsed) ? parsed.filter(isBoundPort) : [];
  } catch {
    return [];
  }
}

function isBoundPort(one: unknown): one is BoundPort {
  if (typeof one !== 'object' || one === null) return false;
  const { containerPort, hostPort, protocol } = one as Partial<BoundPort>;
  return (
    typeof containerPort === 'number' && typeof hostPort === 'number' && (protocol === 'TCP' || protocol === 'UDP')
  );
}
