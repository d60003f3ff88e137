/** The beginning of a caller's text, in quotes and without control characters, for a message that says what was got. */
export const quoted = (text: string, maxCharacters = 80): string => JSON.stringify(text.slice(0, maxCharacters));
