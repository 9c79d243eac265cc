// Who looks at a result as JSON has its value.

@_exported public import JSONValues
