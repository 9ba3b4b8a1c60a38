// The variable that opens the gateway to people whom no admin has added.

import { about } from '@llm-streamer/shared/config.ts';
import { z } from 'zod';
import { isName, NAME_RULE } from '../names.ts';

const RULE = `${NAME_RULE}, and not be admin`;

export const signUpVariables = {
  AUTH_SIGNUP: about(
    z
      .string()
      .refine((role) => isName(role) && role !== 'admin', RULE)
      .optional(),
    'The role of people who add themselves by `POST /auth/signup`, such as `viewer`; never one of an admin. Unset, nobody can.',
  ),
};
