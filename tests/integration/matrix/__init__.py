"""The fault matrix: every cause that ends or hinders a connection × the moment at which it strikes.

table     what strikes, at which moment, and why the other pairs don't exist: data
strikes   how each is done, on the stand-in and on our proxies
site      a device, the doors through which it reaches its service, and all that can be wrong with them
device    the device's process: its status, its news and its log, from a given moment on
resolver  a name server that answers, denies or keeps silent
judging   what must hold after every case: nothing left behind, nothing told, told once
"""
