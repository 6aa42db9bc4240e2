/** `$name` and `${name.path:format}` in titles and links, as Grafana's dashboards replace them (@grafana/scenes). */
import { type DataFrame, type Field, getFieldDisplayName, type InterpolateFunction, type ScopedVars } from '@grafana/data';
import { type Picture } from './picture';

const VARIABLE = /\$\{(\w+)((?:\.\w+)*)(?::(\w+))?\}/g;

interface Context {
  frame: DataFrame;
  field: Field;
  rowIndex?: number;
}

export function replacer(picture: Picture): InterpolateFunction {
  return (text, scopedVars) =>
    text.replace(VARIABLE, (match, name: string, path: string, format?: string) => {
      const value = lookUp(picture, name, path.split('.').slice(1), scopedVars);
      return value === undefined ? match : formatted(value, format);
    });
}

function lookUp(picture: Picture, name: string, path: string[], scopedVars: ScopedVars = {}): string | undefined {
  const context: Context | undefined = scopedVars['__dataContext']?.value;
  switch (name) {
    case '__url_time_range':
      return `from=${picture.span.from}&to=${picture.span.to}`;
    case '__field':
      return context && ofField(context, path);
    case '__data':
      return context && ofRow(context, path);
    default: {
      const value = picture.variables[name];
      return Array.isArray(value) ? value.join(',') : value;
    }
  }
}

function ofField({ field, frame }: Context, [property, label]: string[]): string | undefined {
  switch (property) {
    case 'labels':
      return label === undefined ? undefined : field.labels?.[label];
    case 'name':
      return field.name;
    case 'displayName':
      return getFieldDisplayName(field, frame);
    default:
      return undefined;
  }
}

function ofRow({ frame, rowIndex }: Context, [fields, name, form]: string[]): string | undefined {
  const field = frame.fields.find((one) => one.name === name);
  if (fields !== 'fields' || field === undefined || rowIndex === undefined) {
    return undefined;
  }
  const value = field.values[rowIndex];
  if (form === 'numeric') {
    return String(field.display?.(value).numeric ?? value);
  }
  return field.display?.(value).text ?? String(value);
}

function formatted(value: string, format: string | undefined): string {
  return format === 'percentencode' ? encodeURIComponent(value) : value;
}
