Console.WriteLine("mm");
return 0;
