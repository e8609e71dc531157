"""AWS CloudFormation: the resource types of our template that moto skips without a word are created, or refused by name.

| module | |
|---|---|
| service | decides which class creates a type, and repairs types that moto creates incompletely |
| definitions | the types that local AWS adds, and the types whose absence changes nothing |
| resources | the classes behind these types |
"""
