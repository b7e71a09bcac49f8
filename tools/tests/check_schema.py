# SPDX-License-Identifier: GPL-2.0-only
"""check_schema.py SCHEMA: the JSON documents on stdin, one after the other, are as the schema says."""
import json
import sys

import jsonschema

with open(sys.argv[1], encoding="utf-8") as file:
    schema = json.load(file)
jsonschema.Draft202012Validator.check_schema(schema)
decoder = json.JSONDecoder()
text = sys.stdin.read().strip()
if not text:
    sys.exit("no document")
count = 0
while text:
    document, end = decoder.raw_decode(text)
    jsonschema.validate(document, schema, cls=jsonschema.Draft202012Validator)
    text = text[end:].lstrip()
    count += 1
print(f"{count} documents are valid")
