import { invalid } from './field-errors.ts';
import { unixId } from './name-checks.ts';
import { field, type JsonObject, listOf, mapOf, message, unsupported } from './schema.ts';

const engineDefault = [{ type: 'RuntimeDefault' }];
const noProfiles = 'leave it out; the engine’s default profile is used';

/** Of Linux' own namespaces: such a setting concerns the pod alone. */
const ownSysctl = /^(kernel\.(shm\w+|msg\w+|sem)|fs\.mqueue\.\w+|net\.[\w.-]+)$/;

const sysctl = message('Sysctl', {
  name: field(1, 'string', {
    required: true,
    check: (name: string) =>
      ownSysctl.test(name) ? [] : ['not supported by Flotilla: it concerns the whole node; set it there'],
  }),
  value: field(2, 'string', { required: true }),
});

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
    allowPrivilegeEscalation: field(7, 'bool', { optional: true }),
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
    },
  },
);

export const podSecurityContext = message('PodSecurityContext', {
  seLinuxOptions: unsupported(1, noProfiles),
  runAsUser: field(2, 'int64', { optional: true, check: unixId }),
  runAsNonRoot: field(3, 'bool', { optional: true }),
  supplementalGroups: field(4, listOf('int64')),
  fsGroup: unsupported(5, 'change the owner of a volume’s files from within the container', {
    type: 'int64',
    optional: true,
    harmless: [],
  }),
  runAsGroup: field(6, 'int64', { optional: true, check: unixId }),
  sysctls: field(7, listOf(sysctl)),
  windowsOptions: unsupported(8, 'containers run on Linux'),
  fsGroupChangePolicy: unsupported(9, 'leave it out', { type: 'string', optional: true }),
  seccompProfile: unsupported(10, noProfiles, { type: mapOf('any'), harmless: engineDefault }),
  appArmorProfile: unsupported(11, noProfiles, { type: mapOf('any'), harmless: engineDefault }),
  supplementalGroupsPolicy: unsupported(12, 'leave it out', { type: 'string', optional: true, harmless: ['Merge'] }),
  seLinuxChangePolicy: unsupported(13, noProfiles, { type: 'string', optional: true }),
});
