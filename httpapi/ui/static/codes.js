// The codes of errors of /v2/keys that the page treats in a special way.
export const codes = {
  notFound: 100, compareFailed: 101, exists: 105, dirNotEmpty: 108, invalidField: 209, eventIndexCleared: 401,
};
