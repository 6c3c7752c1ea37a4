import type { Container, Probe } from 'kubernetes-types/core/v1.js';
import type { StackHealthCheck, StackHealthcheck, StackService } from '../resources/stack-types.ts';

type Probes = Pick<Container, 'readinessProbe' | 'livenessProbe' | 'startupProbe'>;

/** As long as Kontena waited for a port. */
const waitForPortSeconds = 300;

export function probesOf(service: StackService): Probes {
  const { healthcheck, healthCheck, waitForPort } = service;
  const checks = healthcheck ? commandProbes(healthcheck) : healthCheck ? questionProbes(healthCheck) : {};
  if (waitForPort === undefined) return checks;
  const tcpSocket = { port: waitForPort };
  return {
    startupProbe: { tcpSocket, periodSeconds: 1, timeoutSeconds: 1, failureThreshold: waitForPortSeconds },
    // A port that is closed again is none to send to.
    readinessProbe: { tcpSocket, periodSeconds: 10, timeoutSeconds: 1, failureThreshold: 1 },
    ...checks,
  };
}

/** Docker's one health check does two things: without it no traffic, failing long enough a restart. */
function commandProbes(check: StackHealthcheck): Probes {
  const common = {
    exec: { command: check.exec },
    periodSeconds: check.intervalSeconds,
    timeoutSeconds: check.timeoutSeconds,
    failureThreshold: check.retries,
  };
  // Ready as soon as it is, also within the start period: that only protects it from being restarted. Docker checks first
  // after one interval; a check that fails at the very start must not be what restarts it (`retries: 1`).
  const graceSeconds = Math.max(check.startPeriodSeconds, check.intervalSeconds);
  return {
    readinessProbe: { ...common, successThreshold: 1 },
    livenessProbe: { ...common, successThreshold: 1, initialDelaySeconds: graceSeconds },
  };
}

/** Kontena's: one failure restarted an instance. Here one takes its traffic away, and only several in a row restart it. */
function questionProbes(check: StackHealthCheck): Probes {
  const { protocol, port, path = '/', initialDelaySeconds } = check;
  const ask: Probe = protocol === 'http' ? { httpGet: { path, port } } : { tcpSocket: { port } };
  const common = { ...ask, periodSeconds: check.intervalSeconds, timeoutSeconds: check.timeoutSeconds };
  return {
    readinessProbe: { ...common, successThreshold: 1, failureThreshold: 1 },
    livenessProbe: { ...common, successThreshold: 1, failureThreshold: check.retries, initialDelaySeconds },
  };
}
