import { forbidden, invalid } from './field-errors.ts';
import { unixId } from './name-checks.ts';
import { field, type JsonObject, listOf, mapOf, message, unsupported } from './schema.ts';

const engineDefault = [{ type: 'RuntimeDefault' }];
const noProfiles = 'leave it out; the engine’s default profile is used';
const onContainer = 'set it in the securityContext of the container';

const capabilities = message('Capabilities', {
  add: field(1, listOf('string')),
  drop: field(2, listOf('string')),
});

export const securityContext = message(
  'SecurityContext',
  {
    capabilities: field(1, capabilities),
    privileged: field(2, 'bool', { optional: true }),
    seLinuxOptions: unsupported(3, noProfiles),
    runAsUser: field(4, 'int64', { optional: true, check: unixId }),
    runAsNonRoot: field(5, 'bool', { optional: true }),
    readOnlyRootFilesystem: field(6, 'bool', { optional: true }),
    allowPrivilegeEscalation: unsupported(7, 'leave it out, and drop capabilities instead', {
      type: 'bool',
      optional: true,
      harmless: [true],
    }),
    runAsGroup: field(8, 'int64', { optional: true, check: unixId }),
    procMount: unsupported(9, 'leave it out', { type: 'string', optional: true, harmless: ['Default'] }),
    windowsOptions: unsupported(10, 'containers run on Linux'),
    seccompProfile: unsupported(11, noProfiles, { type: mapOf('any'), harmless: engineDefault }),
    appArmorProfile: unsupported(12, noProfiles, { type: mapOf('any'), harmless: engineDefault }),
  },
  {
    validate: (context: JsonObject, path, errors) => {
      if (context.privileged === true && context.allowPrivilegeEscalation === false) {
        const why = 'cannot set `allowPrivilegeEscalation` to false and `privileged` to true';
        errors.push(invalid(path, context, why));
      }
      if (context.runAsGroup !== undefined && context.runAsUser === undefined) {
        // The engine takes a group only together with a user; root in place of the image's user would be a trap.
        errors.push(forbidden(`${path}.runAsGroup`, 'not supported by Flotilla: set runAsUser, too'));
      }
      if (context.runAsNonRoot === true && !context.runAsUser) {
        errors.push(
          forbidden(`${path}.runAsNonRoot`, 'not supported by Flotilla: set runAsUser to another user than 0'),
        );
      }
    },
  },
);

export const podSecurityContext = message('PodSecurityContext', {
  seLinuxOptions: unsupported(1, noProfiles),
  runAsUser: unsupported(2, onContainer, { type: 'int64', optional: true, harmless: [] }),
  runAsNonRoot: unsupported(3, onContainer, { type: 'bool', optional: true }),
  supplementalGroups: unsupported(4, 'use runAsGroup of the container', { type: listOf('int64') }),
  fsGroup: unsupported(5, 'change the owner of a volume’s files from within the container', {
    type: 'int64',
    optional: true,
    harmless: [],
  }),
  runAsGroup: unsupported(6, onContainer, { type: 'int64', optional: true, harmless: [] }),
  sysctls: unsupported(7, 'set them on the node', { type: listOf('any') }),
  windowsOptions: unsupported(8, 'containers run on Linux'),
  fsGroupChangePolicy: unsupported(9, 'leave it out', { type: 'string', optional: true }),
  seccompProfile: unsupported(10, noProfiles, { type: mapOf('any'), harmless: engineDefault }),
  appArmorProfile: unsupported(11, noProfiles, { type: mapOf('any'), harmless: engineDefault }),
  supplementalGroupsPolicy: unsupported(12, 'leave it out', { type: 'string', optional: true, harmless: ['Merge'] }),
  seLinuxChangePolicy: unsupported(13, noProfiles, { type: 'string', optional: true }),
});
