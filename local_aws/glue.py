"""placeholder"""
def install(context): pass
