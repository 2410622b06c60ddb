import protobuf from 'protobufjs';
import { callOption, camel, enumTexts, isOptional, kindOf, lowerFirst, option, unionOf } from './load.ts';

/** One package as TypeScript: interfaces, the service as an interface, its method table. */
export function typesOf(space: protobuf.Namespace): string {
  const messages = space.nestedArray.filter((item) => item instanceof protobuf.Type);
  const service = space.nestedArray.find((item) => item instanceof protobuf.Service);
  const body = [
    ...messages.filter(({ name }) => name !== 'Properties' && name !== 'CallOptions').map(message),
    ...(service === undefined ? [] : [driver(service, messages), ...(service.name.endsWith('Driver') ? [table(service)] : [])]),
  ].join('\n');
  return `// Made by \`npm run generate\` of proto${space.fullName.replaceAll('.', '/')}: change it there.\n${imports(body, kindOf(space.nestedArray[0] ?? space))}${body}`;
}

function imports(body: string, kind: string): string {
  const shared = ['Attachment', 'ContractMethods', 'Ctx', 'IdMap', 'Usage'].filter((name) => new RegExp(`\\b${name}\\b(?!\\()`).test(body));
  return kind === 'types' || shared.length === 0 ? '\n' : `import type { ${shared.join(', ')} } from '../types/index.ts';\n\n`;
}

function doc(comment: string | null, indent = ''): string {
  if (comment === null) return '';
  const lines = comment.split('\n').map((line) => line.trim());
  if (lines.length === 1) return `${indent}/** ${lines[0]} */\n`;
  return `${indent}/**\n${lines.map((line) => `${indent} * ${line}\n`).join('')}${indent} */\n`;
}

function message(type: protobuf.Type): string {
  const union = unionOf(type);
  if (union !== undefined) return `${doc(type.comment)}export type ${type.name} = ${unionType(type, union)};\n`;
  return `${doc(type.comment)}export interface ${type.name} {\n${type.fieldsArray.map((field) => member(field)).join('')}}\n`;
}

function unionType(type: protobuf.Type, union: protobuf.OneOf): string {
  const isFlat = union.fieldsArray.every(({ resolvedType }) => resolvedType instanceof protobuf.Type);
  const members = union.fieldsArray.map((field) =>
    isFlat
      ? `\n  | ({ readonly ${union.name}: '${field.name}' } & ${scalar(field)})`
      : `\n${doc(field.comment, '  ')}  | { readonly ${field.name}: ${scalar(field)} }`,
  );
  const rest = type.fieldsArray.filter((field) => field.partOf !== union).map((field) => member(field, ' ').trim());
  return rest.length === 0 ? members.join('') : `(${members.join('')}) & { ${rest.join(' ')} }`;
}

function member(field: protobuf.Field, indent = '  '): string {
  const isMaybe = isOptional(field) || option(field, 'omit_empty') === true;
  return `${doc(field.comment, indent)}${indent}readonly ${field.name}${isMaybe ? '?' : ''}: ${fieldType(field)};\n`;
}

function fieldType(field: protobuf.Field): string {
  if (field.map) return `Readonly<Record<string, ${scalar(field)}>>`;
  if (!field.repeated) return scalar(field);
  const item = scalar(field);
  return item.includes('|') ? `readonly (${item})[]` : `readonly ${item}[]`;
}

const scalars: Readonly<Record<string, string>> = { string: 'string', bool: 'boolean', bytes: 'Buffer' };

function scalar(field: protobuf.Field): string {
  if (option(field, 'json') === true) return 'unknown';
  if (field.resolvedType instanceof protobuf.Enum) {
    return enumTexts(field.resolvedType)
      .filter((text) => text !== null)
      .map((text) => `'${text}'`)
      .join(' | ');
  }
  if (field.resolvedType instanceof protobuf.Type) return typeName(field.resolvedType.fullName);
  if (field.type === 'google.protobuf.Timestamp' || field.type.endsWith('.Timestamp')) return 'Date';
  return scalars[field.type] ?? 'number';
}

function typeName(fullName: string): string {
  if (fullName.endsWith('google.protobuf.Timestamp')) return 'Date';
  return fullName.split('.').at(-1) ?? '';
}

function driver(service: protobuf.Service, messages: readonly protobuf.Type[]): string {
  const properties = messages.find(({ name }) => name === 'Properties');
  const constants = properties?.fieldsArray.map((field) => member(field)) ?? [];
  return `${doc(service.comment)}export interface ${service.name} {\n${constants.join('')}${service.methodsArray.map(method).join('')}}\n`;
}

function method(item: protobuf.Method): string {
  const request = item.requestType.endsWith('Empty') ? 'Record<string, never>' : typeName(item.requestType);
  const answer = item.responseType.endsWith('Empty') ? 'void' : typeName(item.responseType);
  const isMaybe = callOption(item, 'feature') !== undefined;
  const given = item.requestStream ? `requests: AsyncIterable<${request}>` : `request: ${request}`;
  const answers = item.responseStream ? `AsyncIterable<${answer}>` : `Promise<${answer}>`;
  return `${doc(item.comment, '  ')}  ${lowerFirst(item.name)}${isMaybe ? '?' : ''}(${given}, ctx: Ctx): ${answers};\n`;
}

function table(service: protobuf.Service): string {
  const rows = service.methodsArray.map((item) => {
    const feature = callOption(item, 'feature');
    const key = callOption(item, 'key_field');
    const facts = [
      `deadline: '${(callOption(item, 'timeout') ?? 'NORMAL').toLowerCase()}'`,
      ...(item.responseStream ? ["answer: 'stream'"] : []),
      ...(feature === undefined ? [] : [`feature: '${feature}'`]),
      ...(key === undefined ? [] : [`key: '${camel(key)}'`]),
    ];
    return `  ${lowerFirst(item.name)}: { ${facts.join(', ')} },\n`;
  });
  const constants = (service.parent?.get('Properties') as protobuf.Type | null)?.fieldsArray.map(({ name }) => `'${name}'`) ?? [];
  const methods = `ContractMethods<${service.name}>`;
  const satisfied = constants.length === 0 ? methods : `Omit<${methods}, ${constants.join(' | ')}>`;
  return `export const ${lowerFirst(service.name.replace(/Driver$|Service$/, ''))}Methods = {\n${rows.join('')}} as const satisfies ${satisfied};\n`;
}
