import { forbidden, required } from './field-errors.ts';
import { headerName, portNumber, portOrName } from './name-checks.ts';
import { field, type JsonObject, listOf, message, unsupported } from './schema.ts';

export const execAction = message('ExecAction', { command: field(1, listOf('string'), { required: true }) });

export const httpGetAction = message('HTTPGetAction', {
  path: field(1, 'string', { default: '/' }),
  port: field(2, 'intOrString', { required: true, check: portOrName }),
  host: field(3, 'string', { description: 'Default: the pod’s address.' }),
  scheme: field(4, 'string', { default: 'HTTP', allowed: ['HTTP', 'HTTPS'] }),
  httpHeaders: field(
    5,
    listOf(
      message('HTTPHeader', {
        name: field(1, 'string', { required: true, check: headerName }),
        value: field(2, 'string'),
      }),
    ),
  ),
  protocol: unsupported(6, 'leave it out; probes speak HTTP/1.1', { type: 'string' }),
});

export const tcpSocketAction = message('TCPSocketAction', {
  port: field(1, 'intOrString', { required: true, check: portOrName }),
  host: field(2, 'string'),
});

const grpcAction = message('GRPCAction', {
  port: field(1, 'int32', { required: true, check: portNumber }),
  service: field(2, 'string', {
    optional: true,
    default: '',
    description: 'Asked for in grpc.health.v1.Health/Check; empty: the server as a whole.',
  }),
});

const probeHandler = message('ProbeHandler', {
  exec: field(1, execAction),
  httpGet: field(2, httpGetAction),
  tcpSocket: field(3, tcpSocketAction),
  grpc: field(4, grpcAction),
});

export const probe = message(
  'Probe',
  {
    initialDelaySeconds: field(2, 'int32', { min: 0 }),
    timeoutSeconds: field(3, 'int32', { default: 1, min: 0 }),
    periodSeconds: field(4, 'int32', { default: 10, min: 0 }),
    successThreshold: field(5, 'int32', { default: 1, min: 0 }),
    failureThreshold: field(6, 'int32', { default: 3, min: 0 }),
    terminationGracePeriodSeconds: field(7, 'int64', {
      optional: true,
      min: 1,
      description: 'Instead of the pod’s, when this probe has failed.',
    }),
  },
  {
    inline: [{ number: 1, message: probeHandler }],
    defaults: defaultsOfZero,
    validate: (one: JsonObject, path, errors) => {
      const handlers = ['exec', 'httpGet', 'tcpSocket', 'grpc'].filter((name) => one[name] !== undefined);
      if (handlers.length === 0) errors.push(required(path, 'must specify a handler type'));
      for (const surplus of handlers.slice(1)) {
        errors.push(forbidden(`${path}.${surplus}`, 'may not specify more than 1 handler type'));
      }
    },
  },
);

/** A zero means absent here: clients that write protobuf or Go structs send them. */
function defaultsOfZero(one: JsonObject): void {
  if (one.timeoutSeconds === 0) one.timeoutSeconds = 1;
  if (one.periodSeconds === 0) one.periodSeconds = 10;
  if (one.successThreshold === 0) one.successThreshold = 1;
  if (one.failureThreshold === 0) one.failureThreshold = 3;
}
